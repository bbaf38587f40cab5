#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ledger/money.hpp"
#include "ledger/period.hpp"

namespace weir::ledger {

/// How much may be spent in each period. A budget counts money, a quota tokens.
struct Budget {
  enum class Unit : std::uint8_t { money, tokens, output_tokens };
  Unit unit = Unit::money;
  std::int64_t cap = 0;  // picodollars, or tokens
  Period period;
  /// Hard: each call holds the most that it can cost, so that spent and held together never exceed the cap. Soft: it
  /// holds what calls typically cost here, so that the cap may be passed by what the last ones cost more.
  bool hard = true;
  std::string substitute;  // the model that is asked where this one runs out; empty: the call is refused
  friend bool operator==(const Budget&, const Budget&) = default;
};
/// "$1.00 per day", "100000 output tokens per month".
std::string to_text(const Budget& budget);
/// An amount of that unit: "$0.4", "1200 tokens".
std::string to_text(Budget::Unit unit, std::int64_t amount);

inline constexpr std::size_t budgets_max = 8;

/// The budgets and quotas of one key, tenant, user or model, as they are written and stored.
struct BudgetRules {
  std::vector<Budget> budgets;  // no two of the same unit and period
  [[nodiscard]] bool empty() const { return budgets.empty(); }
  friend bool operator==(const BudgetRules&, const BudgetRules&) = default;
};

/// Those of `now` that count what nobody counted by `before`.
BudgetRules newly_counted(const BudgetRules& before, const BudgetRules& now);

/// `budgets`: `[{"usd": 1.00, "period": "day", "hard": true, "reset_day": 1, "time_zone": "Europe/Berlin",
/// "substitute": "small"}]`; `quotas`: the same with `"tokens": 100000, "count": "output"` (or "total") in place of
/// usd. All but the amount may be absent: a month, hard, UTC. An empty text and null are none.
Result<BudgetRules> parse_budget_rules(std::string_view budgets, std::string_view quotas);
/// The two lists written back.
std::string budgets_to_json(const BudgetRules& rules);
std::string quotas_to_json(const BudgetRules& rules);

}  // namespace weir::ledger
