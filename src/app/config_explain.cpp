#include "app/config_load.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::app {

std::string explain_effective(const ConfigOutcome& outcome, std::string_view model) {
  auto found = std::ranges::find(outcome.models, model, &ModelValues::name);
  if (found == outcome.models.end()) {
    return fmt::format("no entry of `models` is named \"{}\"\n", model);
  }
  std::size_t option_width = 0;
  std::size_t value_width = 0;
  for (const TargetValues& target : found->targets) {
    for (const EffectiveValue& value : target.values) {
      option_width = std::max(option_width, value.option.size());
      value_width = std::max(value_width, value.value.size());
    }
  }
  std::string out = fmt::format("{}\n", found->name);
  for (const TargetValues& target : found->targets) {
    out += fmt::format("  step {}: {}, weight {}{}\n", target.step + 1, target.target, target.weight,
                       target.off.empty() ? "" : fmt::format(" (not usable: {})", target.off));
    for (const EffectiveValue& value : target.values) {
      out +=
          fmt::format("    {:<{}}  {:<{}}  {}\n", value.option, option_width, value.value, value_width, value.origin);
    }
  }
  return out;
}

}  // namespace weir::app
