#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
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

/// Where the configuration's tenants are no longer what the store's were made for: in words, by tenant.
struct MisplacedTenants {
  std::vector<std::string> orphans;   // whose parent is nobody's name
  std::vector<std::string> too_deep;  // deeper than they may be made; what is above them holds all the same
};
[[nodiscard]] MisplacedTenants misplaced_tenants(const gateway::Allowances& all);

/// An error where tenants would stand too deep in `next` that do not in `now`.
[[nodiscard]] Result<void> check_depths(const gateway::Allowances& now, const gateway::Allowances& next);

}  // namespace weir::app
