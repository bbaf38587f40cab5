#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "app/config.hpp"
#include "auth/stored_keys.hpp"

namespace weir::app {

/// Makes the gates of the cores from the keys of the configuration and those of the store, and remembers what a later
/// configuration must not undo: a gateway that once had caller keys does not open to everybody when the last one goes.
///
/// Any thread; the lock is held for the copy of some pointers where a core asks.
class Gates {
 public:
  /// `loopback_only`: what the process listens on, which a reload does not change.
  Gates(const AuthConfig& auth, bool loopback_only);

  /// Why that configuration cannot hold while the process listens where it does.
  [[nodiscard]] Result<void> check(const AuthConfig& auth) const;
  void use(const AuthConfig& auth);

  /// There is a store, whose keys are hashed with that: until use_stored() nobody knows which. `answers`: whether it
  /// can be asked at this moment; outlives the gates. Before use_stored() and the loops.
  void expect_store(const AuthConfig& auth, std::shared_ptr<const auth::KeyHasher> hasher,
                    auth::KeyTable::StoreAnswers answers);
  /// Gives those that were.
  auth::StoredKeys use_stored(auth::StoredKeys keys);
  [[nodiscard]] std::shared_ptr<const auth::KeyHasher> hasher() const;
  [[nodiscard]] std::size_t keys() const;
  struct KeyCounts {
    std::size_t active = 0;
    std::size_t inactive = 0;
    std::size_t expired = 0;
  };
  /// Each key once, whatever texts open it.
  [[nodiscard]] KeyCounts count(platform::WallTime now) const;
  /// The keys of the configuration, that of /admin among them; never null.
  using Keys = std::vector<std::shared_ptr<const auth::Key>>;
  [[nodiscard]] std::shared_ptr<const Keys> configured() const;

  /// For one core, of what holds now; null: nobody is asked who he is.
  [[nodiscard]] std::shared_ptr<const auth::Gate> for_core() const;

 private:
  void make_table();

  const bool loopback_only_;
  mutable std::mutex mutex_;
  std::shared_ptr<const auth::KeyHasher> hasher_ = auth::KeyHasher::for_this_process();
  auth::Mode mode_ = auth::Mode::required;
  std::vector<auth::KeyTable::Entry> configured_;
  std::shared_ptr<const Keys> configured_keys_ = std::make_shared<const Keys>();
  bool admin_key_configured_ = false;
  auth::KeyTable::StoreAnswers store_answers_;
  bool store_unread_ = false;
  auth::StoredKeys stored_;
  bool had_caller_key_ = false;
  bool had_admin_key_ = false;
  std::shared_ptr<const auth::KeyTable> keys_;
  std::size_t keys_switched_off_ = 0;
  std::vector<platform::WallTime> keys_end_at_;  // of the others, in order
  auth::Gate::Options options_;
};

}  // namespace weir::app
