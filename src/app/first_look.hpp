#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "app/master_key.hpp"
#include "observe/log.hpp"
#include "platform/clock.hpp"
#include "store/store.hpp"

namespace weir::app {

class Node;
struct IdentityRows;

/// The first look of a process into its store: who may call. Where nobody could enter /admin, a key for it is made and
/// printed, once. Where other machines could reach it and there is no key at all, nothing is made: the start has to
/// stop.
///
/// Until it is done the keys of the store are unknown, not wrong. Outlives the store's thread.
class FirstLook {
 public:
  struct Options {
    bool admin_key_configured = false;
    bool needs_keys = false;  // other machines can reach weir, and nobody said who may call or where keys are kept
    bool master_key_made_now = false;
    std::string master_key_file;
  };
  FirstLook(Node& node, platform::Files& files, observe::Log& log, const platform::Clock& clock, Options options);

  /// On the store's thread; called again until it succeeds.
  Result<void> take(store::Store& store);
  /// False: `patience` was over first. It goes on meanwhile.
  bool wait(std::chrono::milliseconds patience);
  [[nodiscard]] bool misses_keys() const;

 private:
  Result<void> let_callers_in(store::Store& store, std::shared_ptr<const IdentityRows> rows);
  Result<void> make_bootstrap_key(store::Store& store);
  void note_done();

  Node& node_;
  platform::Files& files_;
  observe::Log& log_;
  const platform::Clock& clock_;
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  bool misses_keys_ = false;
};

}  // namespace weir::app
