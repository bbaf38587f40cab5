#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "admin/identities.hpp"
#include "app/allowance_table.hpp"
#include "app/gates.hpp"
#include "auth/stored_keys.hpp"

namespace weir::app {

/// What the store says about who may call: all keys and tenants.
struct IdentityRows {
  auth::StoredKeys keys;
  std::vector<store::Tenant> tenants;
};

/// Reads all of them. On the store's thread.
Result<std::shared_ptr<const IdentityRows>> read_identities(store::Store& store);

/// Keys and tenants behind the admin API: kept in the records' store, or, where there is none, in memory on a thread of
/// its own.
///
/// Life: made before the loops run; start() with the other threads; outlives the loops.
class IdentityStore final : public admin::Identities {
 public:
  /// Has every core judge calls by `rows`; calls `done` once, from any thread, when all do. Called on any thread.
  using Publish = std::function<void(std::shared_ptr<const IdentityRows> rows, std::function<void()> done)>;

  /// `lasting`: the records' worker, which outlives this; null: in memory.
  /// `gates`, `allowances`: who knows the keys and tenants of the configuration, and how texts are hashed by now; they
  /// outlive this.
  IdentityStore(store::Worker* lasting, const Gates& gates, const AllowanceTable& allowances, Publish publish);

  void start();

  store::Worker& worker() override { return own_ != nullptr ? *own_ : *lasting_; }
  [[nodiscard]] bool lasting() const override { return own_ == nullptr; }
  [[nodiscard]] std::vector<store::ApiKey> configured() const override;
  [[nodiscard]] admin::ConfiguredTenants configured_tenants() const override;
  Result<NewKey> make_key() override;
  Task<Result<void>> settle(platform::Loop& loop, platform::Until until) override;

 private:
  store::Worker* const lasting_;
  const Gates& gates_;
  const AllowanceTable& allowances_;
  const std::shared_ptr<const auth::KeyHasher> hasher_;
  const Publish publish_;
  std::unique_ptr<store::Worker> own_;
};

}  // namespace weir::app
