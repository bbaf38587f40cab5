#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/store.hpp"

namespace weir::ledger {

/// When the store's keys were last used, by the records of calls that go there. A key is written at most once a minute:
/// the time is for people who ask which keys nobody uses any more. Belongs to the store's thread.
class KeyUses {
 public:
  /// What was asked (store::asked_of) with a call that the store has now.
  void saw(std::string_view asked);
  /// Writes what is due, in one transaction. Where the store refuses, it stays due.
  Result<void> note(store::Store& store);

 private:
  using Times = std::map<std::string, std::int64_t, std::less<>>;  // milliseconds since 1970

  void forget_old();

  Times due_;
  Times noted_;
  std::size_t forget_at_ = 4096;
};

}  // namespace weir::ledger
