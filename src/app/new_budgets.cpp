#include "app/new_budgets.hpp"

#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "auth/key_rules.hpp"

namespace weir::app {

using gateway::Allowances;
using ledger::BudgetRules;

namespace {

void add(BudgetRules& to, const BudgetRules& more) {
  to.budgets.insert(to.budgets.end(), more.budgets.begin(), more.budgets.end());
}

const BudgetRules& budgets_of(const auth::Key& key, const BudgetRules& per_key) {
  return key.rules == nullptr || key.rules->budgets.empty() ? per_key : key.rules->budgets;
}

}  // namespace

BudgetRules new_budgets(const Allowances& before, const Allowances& now) {
  BudgetRules found;
  const auto compare = [&](const BudgetRules& old, const BudgetRules& next) {
    add(found, ledger::newly_counted(old, next));
  };
  compare(before.global.budgets, now.global.budgets);
  compare(before.per_key.budgets, now.per_key.budgets);
  compare(before.per_user.budgets, now.per_user.budgets);
  compare(before.per_tenant.budgets, now.per_tenant.budgets);
  for (const auto& [name, model] : now.by_model) {
    const auto old = before.by_model.find(name);
    compare(old == before.by_model.end() ? BudgetRules{} : old->second.budgets, model.budgets);
  }
  std::set<std::string_view> names;
  for (const Allowances* all : {&before, &now}) {
    for (const auto& [name, tenant] : all->tenants) {
      names.insert(name);
    }
  }
  for (const std::string_view name : names) {
    compare(before.of_tenant(name).budgets, now.of_tenant(name).budgets);
    std::map<std::string_view, const BudgetRules*> were_above;
    before.each_above(name, [&](std::string_view above, const gateway::TenantAllowance& tenant) {
      were_above.emplace(above, &tenant.budgets);
    });
    now.each_above(name, [&](std::string_view above, const gateway::TenantAllowance& tenant) {
      const auto was = were_above.find(above);
      compare(was == were_above.end() ? BudgetRules{} : *was->second, tenant.budgets);
    });
  }
  return found;
}

BudgetRules new_budgets(const Gates::Keys& before, const Gates::Keys& now, const BudgetRules& per_key) {
  std::unordered_map<std::string_view, const auth::Key*> old;
  for (const auto& key : before) {
    old.emplace(key->id, key.get());
  }
  BudgetRules found;
  for (const auto& key : now) {
    if (const auto known = old.find(key->id); known != old.end()) {
      add(found, ledger::newly_counted(budgets_of(*known->second, per_key), budgets_of(*key, per_key)));
    }
  }
  return found;
}

}  // namespace weir::app
