#pragma once

#include <span>
#include <string>
#include <vector>

#include "gateway/allowances.hpp"
#include "store/tenants.hpp"

namespace weir::app {

/// The tenants of a store, as calls are judged by them.
struct StoredTenants {
  gateway::Allowances::ByName<gateway::TenantAllowance> tenants;
  /// What cannot be understood, and why; whatever else its row says holds.
  std::vector<std::string> unusable;
};
[[nodiscard]] StoredTenants read_stored_tenants(std::span<const store::Tenant> rows);

/// `configured` with the tenants of the store. A tenant of the configuration stands in the place of one of the store
/// with its name, and may be the parent of others there.
[[nodiscard]] gateway::Allowances with_stored_tenants(const gateway::Allowances& configured,
                                                      const StoredTenants& stored);

/// Tenants whose parent is nobody's name, and those that stand so deep that not all above them hold: where the
/// configuration's tenants are no longer what the store's were made for.
[[nodiscard]] std::vector<std::string> misplaced_tenants(const gateway::Allowances& all);

}  // namespace weir::app
