#include "app/config_load.hpp"

#include "settings/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::app {

namespace {

std::string explain(const ModelValues& model) {
  std::size_t option_width = 0;
  std::size_t value_width = 0;
  for (const TargetValues& target : model.targets) {
    for (const EffectiveValue& value : target.values) {
      option_width = std::max(option_width, value.option.size());
      value_width = std::max(value_width, value.value.size());
    }
  }
  std::string out = fmt::format("{}{}\n", model.name, model.origin.empty() ? "" : "  " + model.origin);
  for (const EffectiveValue& value : model.values) {
    option_width = std::max(option_width, value.option.size());
    value_width = std::max(value_width, value.value.size());
  }
  for (const EffectiveValue& value : model.values) {
    out +=
        fmt::format("  {:<{}}  {:<{}}  {}\n", value.option, option_width + 2, value.value, value_width, value.origin);
  }
  for (const TargetValues& target : model.targets) {
    out += fmt::format("  step {}: {}, weight {}{}\n", target.step + 1, target.target, target.weight,
                       target.off.empty() ? "" : fmt::format(" (not usable: {})", target.off));
    for (const EffectiveValue& value : target.values) {
      out +=
          fmt::format("    {:<{}}  {:<{}}  {}\n", value.option, option_width, value.value, value_width, value.origin);
    }
  }
  return out;
}

}  // namespace

Result<std::string> explain_effective(const ConfigOutcome& outcome, std::string_view model) {
  const auto entry = [&outcome](std::string_view name) {
    const auto found = std::ranges::find(outcome.models, name, &ModelValues::name);
    return found == outcome.models.end() ? nullptr : &*found;
  };
  if (const ModelValues* found = entry(model)) {
    return explain(*found);
  }
  if (outcome.config) {
    const routing::ModelTable& table = outcome.config->models;
    for (const routing::Pattern& pattern : table.patterns) {
      const bool fits = model.size() >= pattern.prefix.size() + pattern.suffix.size() &&
                        model.starts_with(pattern.prefix) && model.ends_with(pattern.suffix);
      if (const ModelValues* found = fits ? entry(pattern.policy.name) : nullptr) {
        return fmt::format("\"{}\" is taken by the pattern \"{}\":\n{}", model, pattern.policy.name, explain(*found));
      }
    }
    const std::string_view provider = model.substr(0, model.find('/'));
    if (provider.size() < model.size() &&
        std::ranges::find(table.forwards, provider, &routing::Forward::provider) != table.forwards.end()) {
      return fmt::format(
          "\"{}\" is no entry of `models`: the provider {} takes every name (unknown_models: forward), "
          "with its own limits.\n",
          model, provider);
    }
  }
  std::vector<std::string> names;
  for (const ModelValues& known : outcome.models) {
    names.push_back(known.name);
  }
  return fail(Code::model_not_found,
              fmt::format("no entry of `models` is named \"{}\"{}", model, settings::did_you_mean(model, names)));
}

}  // namespace weir::app
