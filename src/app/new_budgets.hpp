#pragma once

#include "app/gates.hpp"
#include "gateway/allowances.hpp"

namespace weir::app {

/// Budgets that hold by `now` for somebody who has spent without them, so that nobody counted it: a new one, one with
/// another period, one of a tenant that others were put below.
[[nodiscard]] ledger::BudgetRules new_budgets(const gateway::Allowances& before, const gateway::Allowances& now);

/// The same of keys, of which those that are new have spent nothing. `per_key`: of keys that have none of their own.
[[nodiscard]] ledger::BudgetRules new_budgets(const Gates::Keys& before, const Gates::Keys& now,
                                              const ledger::BudgetRules& per_key);

}  // namespace weir::app
