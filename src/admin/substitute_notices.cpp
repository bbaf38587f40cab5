#include "admin/substitute_notices.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/budget_rules.hpp"
#include "routing/resolve.hpp"
#include "settings/nearest.hpp"

namespace weir::admin {

std::vector<std::string> notices_about_substitutes(std::string_view budgets, std::string_view quotas,
                                                   const routing::ModelTable& models) {
  std::vector<std::string> notices;
  const auto rules = ledger::parse_budget_rules(budgets, quotas);
  if (!rules) {
    return notices;
  }
  for (const ledger::Budget& budget : rules->budgets) {
    if (budget.substitute.empty() || routing::resolve(models, budget.substitute, false)) {
      continue;
    }
    std::vector<std::string> names;
    for (const auto& [name, policy] : models.exact) {
      names.push_back(name);
    }
    std::string notice = fmt::format(
        "There is no model `{}` yet: until the configuration has it, calls are refused where it would stand in{}",
        budget.substitute, settings::did_you_mean(budget.substitute, names));
    if (std::ranges::find(notices, notice) == notices.end()) {
      notices.push_back(std::move(notice));
    }
  }
  return notices;
}

}  // namespace weir::admin
