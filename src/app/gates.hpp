#pragma once

#include <memory>

#include "app/config.hpp"
#include "auth/key_table.hpp"

namespace weir::app {

/// Makes the gates of the cores from one configuration after the other, and remembers what a later one must not undo: a
/// gateway that once had caller keys does not open to everybody when the last one goes.
///
/// Belongs to whoever reloads, one at a time.
class Gates {
 public:
  /// `loopback_only`: what the process listens on, which a reload does not change.
  Gates(const AuthConfig& auth, bool loopback_only);

  /// Why that configuration cannot hold while the process listens where it does.
  [[nodiscard]] Result<void> check(const AuthConfig& auth) const;
  void use(const AuthConfig& auth);
  [[nodiscard]] const std::shared_ptr<const auth::KeyHasher>& hasher() const { return hasher_; }
  /// For one core; null: nobody is asked who he is.
  [[nodiscard]] std::shared_ptr<const auth::Gate> for_core() const;

 private:
  const bool loopback_only_;
  const std::shared_ptr<const auth::KeyHasher> hasher_ = auth::KeyHasher::for_this_process();
  std::shared_ptr<const auth::KeySource> keys_;
  bool had_caller_key_ = false;
  bool had_admin_key_ = false;
  auth::Gate::Options options_;
};

}  // namespace weir::app
