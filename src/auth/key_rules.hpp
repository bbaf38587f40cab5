#pragma once

#include <string>

#include "ledger/budget_rules.hpp"
#include "limits/rules.hpp"

namespace weir::auth {

/// What one key may use, where that was said of it: in place of what holds for each key.
struct KeyRules {
  limits::Rules limits;
  ledger::BudgetRules budgets;      // and quotas
  std::string limits_as_written{};  // JSON, of a key of the configuration; of others the store has it
  friend bool operator==(const KeyRules&, const KeyRules&) = default;
};

}  // namespace weir::auth
