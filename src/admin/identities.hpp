#pragma once

#include <vector>

#include "admin/identity_changes.hpp"
#include "base/secret.hpp"
#include "store/worker.hpp"

namespace weir::admin {

/// Where keys and tenants are kept, and who judges calls by them. Made by app/; for any thread.
class Identities {
 public:
  struct NewKey {
    Secret text;  // shown once
    KeyMark mark;
  };
  virtual ~Identities() = default;
  [[nodiscard]] virtual store::Worker& worker() = 0;
  /// False: they are kept in memory, and gone with the process.
  [[nodiscard]] virtual bool lasting() const = 0;
  /// The keys of the configuration as rows that no store has, by id downwards, without any hash. Looked at, not
  /// changed.
  [[nodiscard]] virtual std::vector<store::ApiKey> configured() const = 0;
  /// Those of the configuration that is in use.
  [[nodiscard]] virtual ConfiguredTenants configured_tenants() const = 0;
  virtual Result<NewKey> make_key() = 0;
  /// After a change: returns once every core judges calls by what the store holds now.
  virtual Task<Result<void>> settle(platform::Loop& loop, platform::Until until) = 0;
};

}  // namespace weir::admin
