#include "app/stored_tenants.hpp"

#include <fmt/format.h>

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

std::vector<std::string> misplaced_tenants(const Allowances& all) {
  std::vector<std::string> told;
  for (const auto& [name, tenant] : all.tenants) {
    if (!tenant.parent.empty() && !all.tenants.contains(tenant.parent)) {
      told.push_back(fmt::format("{}: its parent {} is no tenant", name, tenant.parent));
      continue;
    }
    if (all.is_too_deep(name)) {
      told.push_back(fmt::format("{}: more than {} deep, so what is above that does not hold for it", name,
                                 Allowances::tenant_depth_max));
    }
  }
  return told;
}

}  // namespace weir::app
