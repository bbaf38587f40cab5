#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ledger/budgets.hpp"
#include "store/store.hpp"

namespace weir::ledger {

/// Tells the budgets what calls of the store have spent in the periods that nobody counted yet, and what calls of dead
/// processes may still hold. Blocking; for the store's thread. On an error the same is asked for again.
class Recount {
 public:
  /// The tenants that `tenant` is part of, from near to far.
  using TenantsAbove = std::function<std::vector<std::string>(const std::string& tenant)>;
  Recount(Budgets& budgets, TenantsAbove above) : budgets_(budgets), above_(std::move(above)) {}

  /// True: there was something to count.
  Result<bool> run(store::RequestLog& requests, platform::WallTime now);

 private:
  Budgets& budgets_;
  const TenantsAbove above_;
  std::vector<Period> periods_;  // asked for, and not counted
  bool first_ = true;
};

}  // namespace weir::ledger
