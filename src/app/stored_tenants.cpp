#include "app/stored_tenants.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "limits/rules.hpp"

namespace weir::app {

using gateway::Allowances;
using gateway::TenantAllowance;

StoredTenants read_stored_tenants(std::span<const store::Tenant> rows) {
  StoredTenants read;
  for (const store::Tenant& row : rows) {
    TenantAllowance& tenant = read.tenants[row.id];
    tenant.parent = row.parent;
    if (auto limits = limits::parse_rules(row.limits)) {
      tenant.limits = std::move(*limits);
    } else {
      read.unusable.push_back(fmt::format("{}: {}", row.id, limits.error().message));
    }
    if (auto budgets = ledger::parse_budget_rules(row.budgets, row.quotas)) {
      tenant.budgets = std::move(*budgets);
    } else {
      read.unusable.push_back(fmt::format("{}: {}", row.id, budgets.error().message));
    }
  }
  return read;
}

Allowances with_stored_tenants(const Allowances& configured, const StoredTenants& stored) {
  Allowances all = configured;
  all.tenants.insert(stored.tenants.begin(), stored.tenants.end());  // never in the place of one that is there
  return all;
}

MisplacedTenants misplaced_tenants(const Allowances& all) {
  MisplacedTenants found;
  for (const auto& [name, tenant] : all.tenants) {
    if (!tenant.parent.empty() && !all.tenants.contains(tenant.parent)) {
      found.orphans.push_back(
          fmt::format("{}: its parent {} is no tenant, so nothing above it holds", name, tenant.parent));
    } else if (const std::size_t depth = all.depth_of(name); depth == Allowances::tenant_levels_counted) {
      found.too_deep.push_back(
          fmt::format("{}: {} deep or more, or part of itself; what is further up does not hold for it", name, depth));
    } else if (depth > Allowances::tenant_depth_max) {
      found.too_deep.push_back(
          fmt::format("{}: {} deep, where at most {} are meant to be", name, depth, Allowances::tenant_depth_max));
    }
  }
  return found;
}

Result<void> check_depths(const Allowances& now, const Allowances& next) {
  std::vector<std::string_view> too_deep;
  for (const auto& [name, tenant] : next.tenants) {
    if (next.is_too_deep(name) && !now.is_too_deep(name)) {
      too_deep.push_back(name);
    }
  }
  if (too_deep.empty()) {
    return {};
  }
  return fail(
      Code::invalid_request,
      fmt::format("tenants: they stand at most {} deep, and with those of the store there would be more above {}; "
                  "move those first (weir tenants), or leave the tenants above them as they are",
                  Allowances::tenant_depth_max, fmt::join(too_deep, ", ")));
}

}  // namespace weir::app
