#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/config_builder.hpp"
#include "app/config_model.hpp"
#include "settings/nearest.hpp"

namespace weir::app {

namespace {

using settings::Entry;
using settings::Node;
using settings::Report;
using settings::Section;

bool matches(const routing::Pattern& pattern, std::string_view name) {
  return name.size() >= pattern.prefix.size() + pattern.suffix.size() && name.starts_with(pattern.prefix) &&
         name.ends_with(pattern.suffix);
}

/// The provider behind `mock/...` and `x-mock`: the one of that name, else the first of that dialect.
std::string mock_among(const std::vector<ProviderConfig>& providers) {
  std::string first;
  for (const ProviderConfig& provider : providers) {
    if (provider.dialect == "mock" && (first.empty() || provider.name == "mock")) {
      first = provider.name;
    }
  }
  return first;
}

/// Of two patterns that match, the one that says more about the name is meant: it stands first.
void add_pattern(routing::ModelTable& table, routing::Pattern pattern) {
  auto said = [](const routing::Pattern& p) { return p.prefix.size() + p.suffix.size(); };
  auto place = std::ranges::find_if(table.patterns, [&](const routing::Pattern& p) { return said(p) < said(pattern); });
  table.patterns.insert(place, std::move(pattern));
}

bool is_known(const routing::ModelTable& table, std::string_view name) {
  const std::string_view provider = name.substr(0, name.find('/'));
  return table.exact.contains(name) ||
         std::ranges::any_of(table.patterns, [name](const routing::Pattern& p) { return matches(p, name); }) ||
         (provider.size() + 1 < name.size() &&
          std::ranges::find(table.forwards, provider, &routing::Forward::provider) != table.forwards.end());
}

void check_default(const Section& root, const routing::ModelTable& table, Report& report) {
  if (table.default_model.empty() || is_known(table, table.default_model)) {
    return;
  }
  std::vector<std::string> names;
  if (const Node* models = root.node("models")) {
    for (const Entry& entry : models->entries) {
      names.push_back(entry.key);
    }
  }
  // The entry is there but has an error of its own, which was told.
  if (std::ranges::find(names, table.default_model) != names.end()) {
    return;
  }
  std::string cure = settings::did_you_mean(table.default_model, names);
  if (cure.empty() && !names.empty()) {
    cure = fmt::format("; there are {}", fmt::join(names, ", "));
  }
  report.error(root.origin("default_model"), "default_model",
               fmt::format("no model is named \"{}\"{}", root.node("default_model")->shown(), cure));
}

/// The models that are named for a cause, in the general options and in each entry.
void check_specials(const Section& root, const routing::ModelTable& table, Report& report) {
  const Node* models = root.node("models");
  const std::vector<Entry> none;
  const std::vector<Entry>& entries = models == nullptr ? none : models->entries;
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    names.push_back(entry.key);
  }
  const auto check = [&](const Section& section, std::string_view option) {
    if (!section.has(option)) {
      return;
    }
    const std::string& name = section.text(option);
    if (name != no_fallback && !is_known(table, name) && std::ranges::find(names, name) == names.end()) {
      report.error(section.origin(option), settings::join_path(section.path(), option),
                   fmt::format("no model is named \"{}\"{}", name, settings::did_you_mean(name, names)));
    }
  };
  for (const std::string_view option : {"on_context_window", "on_content_policy", "fallback"}) {
    check(root, option);
    for (const Entry& entry : entries) {
      if (entry.value.kind == Node::Kind::map) {
        check(root.at("models").named(entry.key), option);
      }
    }
  }
}

}  // namespace

routing::ModelTable build_models(const Section& root, const std::vector<ProviderConfig>& providers, Report& report,
                                 std::vector<ModelValues>& models) {
  routing::ModelTable table;
  const KnownProviders known(root, providers);
  if (const Node* node = root.node("models")) {
    for (const Entry& entry : node->entries) {
      BuiltModel built = build_model(entry, root, known, report);
      models.push_back(std::move(built.values));
      if (const std::size_t star = entry.key.find('*'); star != std::string::npos) {
        add_pattern(table, {.prefix = entry.key.substr(0, star),
                            .suffix = entry.key.substr(star + 1),
                            .policy = std::move(built.policy)});
      } else if (!built.policy.steps.empty()) {
        table.exact.emplace(entry.key, std::move(built.policy));
      }
    }
  }
  for (const ProviderConfig& provider : providers) {
    if (provider.unknown_models == UnknownModels::forward) {
      table.forwards.push_back(
          {.provider = provider.name,
           .timeouts = provider.timeouts,
           .retry = provider.retry,
           .recovery = provider.recovery,
           .off = provider.enabled ? "" : fmt::format("{} is off: {}", provider.name, provider.off_reason),
           .breaker = provider.breaker,
           .provider_max_in_flight = provider.max_in_flight,
           .live = {},
           .fallback = root.has("fallback") && root.text("fallback") != no_fallback ? root.text("fallback") : ""});
    }
  }
  table.mock_provider = mock_among(providers);
  table.default_model = root.text("default_model");
  check_default(root, table, report);
  check_specials(root, table, report);
  return table;
}

}  // namespace weir::app
