#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "ledger/budget_rules.hpp"
#include "limits/limit.hpp"

namespace weir::gateway {

/// What one owner may use.
struct Allowance {
  limits::LimitSet limits;
  ledger::BudgetRules budgets;
  [[nodiscard]] bool empty() const { return limits.empty() && budgets.empty(); }
  friend bool operator==(const Allowance&, const Allowance&) = default;
};

/// A group of callers. What it has itself holds in place of what each tenant has; what its parent has holds for all
/// below together.
struct TenantAllowance : Allowance {
  std::string parent;  // empty: none
  friend bool operator==(const TenantAllowance&, const TenantAllowance&) = default;
};

/// Everything that bounds what callers use, of the configuration and of the store. Immutable, part of a snapshot.
struct Allowances {
  static constexpr std::size_t tenant_depth_max = 8;  // of their tree, as it may be made
  /// How far up a call looks. Both the configuration's tenants and the store's below them may be as deep as that, where
  /// weir starts with another configuration than the one that the store's were made for: they hold all the same.
  static constexpr std::size_t tenant_levels_counted = 2 * tenant_depth_max;

  template <class T>
  using ByName = std::map<std::string, T, std::less<>>;

  Allowance global;
  limits::LimitSet without_key;      // for each address that calls without a key
  limits::LimitSet per_ip;           // for each address, with or without a key
  Allowance per_key;                 // for each key that has none of its own
  Allowance per_user;                // for each user
  Allowance per_tenant;              // for each tenant that has none of its own
  ByName<limits::LimitSet> by_role;  // for each key of that role, beside its own
  ByName<Allowance> by_model;
  ByName<TenantAllowance> tenants;
  std::int64_t max_output_tokens = 4096;  // of a call whose budget is hard

  /// What holds for this tenant alone.
  [[nodiscard]] const Allowance& of_tenant(std::string_view name) const {
    const auto found = tenants.find(name);
    return found == tenants.end() || found->second.empty() ? per_tenant : found->second;
  }
  /// The tenants that this one is part of, from near to far, as far up as calls look: `visit` takes name and allowance.
  template <class Visit>
  void each_above(std::string_view name, Visit&& visit) const {
    std::size_t depth = 1;
    for (const auto* up = parent_of(name); up != nullptr && depth < tenant_levels_counted; up = parent_of(up->first)) {
      ++depth;
      visit(up->first, up->second);
    }
  }
  /// The tenant and those above it; at most tenant_levels_counted.
  [[nodiscard]] std::size_t depth_of(std::string_view name) const {
    std::size_t depth = 1;
    each_above(name, [&](std::string_view, const TenantAllowance&) { ++depth; });
    return depth;
  }
  /// It stands deeper than a tenant may be put, or is part of itself.
  [[nodiscard]] bool is_too_deep(std::string_view name) const { return depth_of(name) > tenant_depth_max; }
  /// Nothing is limited: the way of a call is a branch shorter.
  [[nodiscard]] bool empty() const {
    return global.empty() && without_key.empty() && per_ip.empty() && per_key.empty() && per_user.empty() &&
           per_tenant.empty() && by_role.empty() && by_model.empty() &&
           std::ranges::all_of(tenants, [](const auto& one) { return one.second.empty(); });
  }
  friend bool operator==(const Allowances&, const Allowances&) = default;

 private:
  /// Null: it has none.
  [[nodiscard]] const std::pair<const std::string, TenantAllowance>* parent_of(std::string_view name) const {
    const auto found = tenants.find(name);
    if (found == tenants.end() || found->second.parent.empty()) {
      return nullptr;
    }
    const auto parent = tenants.find(found->second.parent);
    return parent == tenants.end() ? nullptr : &*parent;
  }
};

}  // namespace weir::gateway
