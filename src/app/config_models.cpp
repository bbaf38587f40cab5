#include "app/config_builder.hpp"
#include "app/config_policy.hpp"
#include "settings/nearest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <span>
#include <tuple>

namespace weir::app {

namespace {

using settings::Entry;
using settings::Node;
using settings::Report;
using settings::Section;

/// In the place of a model: not even the general one.
constexpr std::string_view no_fallback = "none";

std::size_t stars(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '*'));
}

routing::Balance balance_of(std::string_view word) {
  if (word == "least_in_flight") {
    return routing::Balance::least_in_flight;
  }
  if (word == "fastest") {
    return routing::Balance::fastest;
  }
  if (word == "cheapest") {
    return routing::Balance::cheapest;
  }
  return word == "prefix_affinity" ? routing::Balance::prefix_affinity : routing::Balance::weighted;
}

/// The providers as targets need them.
class Providers {
 public:
  Providers(const Section& root, const std::vector<ProviderConfig>& providers) : root_(root), providers_(providers) {
    for (const ProviderConfig& provider : providers) {
      names_.push_back(provider.name);
    }
  }
  [[nodiscard]] const ProviderConfig* find(std::string_view name) const {
    auto found = std::ranges::find(providers_, name, &ProviderConfig::name);
    return found == providers_.end() ? nullptr : &*found;
  }
  [[nodiscard]] Section section(const std::string& name) const { return root_.at("providers").named(name); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  Section root_;
  const std::vector<ProviderConfig>& providers_;
  std::vector<std::string> names_;
};

/// One entry of `models`: the policy and what explains it.
class ModelBuilder {
 public:
  ModelBuilder(const Entry& entry, const Section& root, const Providers& providers, Report& report)
      : entry_(entry),
        root_(root),
        section_(root.at("models").named(entry.key)),
        providers_(providers),
        report_(report) {
    policy_.name = entry.key;
    values_.name = entry.key;
    values_.origin = settings::to_string(entry.origin);
  }

  void build() {
    check_name();
    policy_.timeouts = effective_timeouts({root_, section_});
    policy_.retry = effective_retry({root_, section_});
    policy_.on_context_window = special("on_context_window");
    policy_.on_content_policy = special("on_content_policy");
    policy_.fallback = special("fallback");
    explain_model();
    if (entry_.value.kind == Node::Kind::scalar && !entry_.value.bad) {
      add_single(entry_.value.text, entry_.value, section_, {});
    } else if (entry_.value.kind == Node::Kind::map) {
      build_steps();
    } else if (entry_.value.kind == Node::Kind::null) {
      report_.error(entry_.origin, section_.path(), "has no target; write for example openai/gpt-4o");
    }
    tell_if_dead();
  }

  routing::ModelPolicy& policy() { return policy_; }
  ModelValues& values() { return values_; }

 private:
  void check_name() {
    const bool odd =
        std::ranges::any_of(entry_.key, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
    if (odd || entry_.key.size() > 256) {
      report_.error(entry_.origin, section_.path(), "a model's name has at most 256 bytes and no blanks");
    }
    if (stars(entry_.key) > 1) {
      report_.error(entry_.origin, section_.path(), "a pattern has one *");
    }
  }

  /// The model for one cause, from here or from the general options; itself is no fallback.
  std::string special(std::string_view option) {
    const bool own = entry_.value.kind == Node::Kind::map && section_.has(option);
    if (!own && !root_.has(option)) {
      return {};
    }
    const Section& set = own ? section_ : root_;
    const std::string& name = set.text(option);
    if (own && name == entry_.key) {
      report_.error(set.origin(option), settings::join_path(section_.path(), option),
                    "names the model itself; write another one, or leave the option out");
    }
    return name == entry_.key || name == no_fallback ? std::string() : name;
  }

  void explain_model() {
    const bool own = entry_.value.kind == Node::Kind::map;
    const Levels levels = own ? Levels{root_, section_} : Levels{root_};
    for (const auto& [option, value, without] :
         {std::tuple{"on_context_window", &policy_.on_context_window, "the next step"},
          {"on_content_policy", &policy_.on_content_policy, "the caller is told"},
          {"fallback", &policy_.fallback, no_fallback.data()}}) {
      values_.values.push_back(explain_value(levels, option, value->empty() ? without : *value));
    }
  }

  /// How a step chooses among its members, and a member among its keys.
  static void explain_choice(const routing::Step& step, const Section& place, std::span<TargetValues> members) {
    for (TargetValues& member : members) {
      member.values.push_back(explain_value({place}, "balance", place.text("balance")));
      member.values.push_back(explain_value({place}, "sticky", step.sticky.empty() ? "no" : step.sticky));
    }
  }
  static void explain_keys(const ProviderConfig& provider, const Section& section,
                           std::vector<EffectiveValue>& values) {
    std::vector<std::string> keys;
    for (const KeyConfig& key : provider.keys) {
      keys.push_back(fmt::format("{} (weight {}, priority {})", key.name, key.weight, key.priority));
    }
    values.push_back(
        explain_value({section}, "keys", keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "))));
    values.push_back(explain_value({section}, "key_choice", section.text("key_choice")));
    values.push_back(
        explain_value({section}, "max_in_flight",
                      provider.max_in_flight == 0 ? "no limit" : fmt::format("{}", provider.max_in_flight)));
    for (std::size_t i = values.size() - 3; i < values.size(); ++i) {
      values[i].option = fmt::format("{}.{}", section.path(), values[i].option);
    }
  }

  void build_steps() {
    const Node* steps = section_.node("steps");
    if (steps == nullptr) {
      const Node* written = entry_.value.find("steps");
      if (written == nullptr || !written->bad) {
        report_.error(entry_.origin, section_.path(), "has no steps; write steps: [openai/gpt-4o]");
      }
      return;
    }
    if (steps->items.empty()) {
      report_.error(steps->origin, section_.path() + ".steps", "an empty list; write for example [openai/gpt-4o]");
    }
    for (std::size_t i = 0; i < steps->items.size(); ++i) {
      build_step(steps->items[i], section_.at("steps").item(i));
    }
  }

  void build_step(const Node& node, const Section& step) {
    if (node.bad) {
      return;
    }
    if (node.kind == Node::Kind::scalar) {
      add_single(node.text, node, step, {});
      return;
    }
    const Node* any_of = step.node("any_of");
    const Node* target = step.node("target");
    if (any_of != nullptr && target != nullptr) {
      report_.error(node.origin, step.path(), "has a target and any_of; keep one of the two");
    } else if (target != nullptr) {
      add_single(target->text, *target, step, {step});
    } else if (any_of != nullptr) {
      build_members(*any_of, step);
    } else if (!has_bad(node, "any_of") && !has_bad(node, "target")) {
      report_.error(node.origin, step.path(),
                    "has neither a target nor any_of; write for example target: openai/gpt-4o");
    }
  }

  static bool has_bad(const Node& node, std::string_view name) {
    const Node* child = node.find(name);
    return child != nullptr && child->bad;
  }

  void build_members(const Node& any_of, const Section& step) {
    routing::Step built;
    built.balance = balance_of(step.text("balance"));
    if (built.balance == routing::Balance::prefix_affinity) {
      report_.notice(step.origin("balance"), step.path() + ".balance",
                     "accepted, not built yet in this version: members share by weight");
    }
    if (step.has("sticky")) {
      built.sticky = step.text("sticky");
    }
    if (any_of.items.empty()) {
      report_.error(any_of.origin, step.path() + ".any_of", "an empty list; write for example [openai/gpt-4o]");
    }
    for (std::size_t i = 0; i < any_of.items.size(); ++i) {
      const Node& item = any_of.items[i];
      const Section member = step.at("any_of").item(i);
      if (item.bad) {
        continue;
      }
      const Node* target = item.kind == Node::Kind::scalar ? &item : member.node("target");
      if (target == nullptr) {
        if (!has_bad(item, "target")) {
          report_.error(item.origin, member.path(),
                        "has no target; write for example {target: openai/gpt-4o, weight: 9}");
        }
        continue;
      }
      const bool own_options = item.kind == Node::Kind::map;
      const int weight = own_options ? member.integer("weight") : 1;
      if (auto made =
              make_target(target->text, *target, member, own_options ? Levels{step, member} : Levels{step}, weight)) {
        built.any_of.push_back(std::move(*made));
      }
    }
    if (built.any_of.size() > 1) {
      explain_choice(built, step, std::span(values_.targets).last(built.any_of.size()));
    }
    add_step(std::move(built));
  }

  /// A step of one target. `own`: the sections that set options for this target alone.
  void add_single(const std::string& text, const Node& where, const Section& place, const Levels& own) {
    routing::Step step;
    if (auto made = make_target(text, where, place, own, 1)) {
      step.any_of.push_back(std::move(*made));
    }
    add_step(std::move(step));
  }

  void add_step(routing::Step step) {
    if (!step.any_of.empty()) {
      policy_.steps.push_back(std::move(step));
    }
  }

  std::optional<routing::Target> make_target(const std::string& text, const Node& where, const Section& place,
                                             const Levels& own, int weight) {
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
      report_.error(where.origin, place.path(),
                    fmt::format("\"{}\" is no target; write provider/model, for example openai/gpt-4o{}", where.shown(),
                                entry_.key == text ? "" : hint_for_bare(text)));
      return std::nullopt;
    }
    // The name stands in headers, logs and stories.
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; })) {
      report_.error(where.origin, place.path(), "the target holds a line end or control character");
      return std::nullopt;
    }
    routing::Target target{.provider = text.substr(0, slash), .model = text.substr(slash + 1), .weight = weight};
    const ProviderConfig* provider = providers_.find(target.provider);
    if (provider == nullptr) {
      const bool none = providers_.names().empty();
      report_.error(where.origin, place.path(),
                    fmt::format("no provider is named \"{}\"{}", target.provider,
                                none ? "; `providers` is empty" : cure_for_unknown(target.provider)));
      return std::nullopt;
    }
    if (stars(target.model) > stars(entry_.key)) {
      report_.error(where.origin, place.path(),
                    fmt::format("\"{}\" has a * for what the *s of its model name match, and \"{}\" has {}",
                                where.shown(), entry_.key, stars(entry_.key) == 0 ? "none" : "only one"));
      return std::nullopt;
    }
    Levels levels{root_, providers_.section(target.provider), section_};
    levels.insert(levels.end(), own.begin(), own.end());
    target.timeouts = effective_timeouts(levels);
    target.retry = effective_retry(levels);
    target.recovery = effective_recovery(levels);
    target.breaker = effective_breaker(levels);
    target.provider_max_in_flight = provider->max_in_flight;
    for (const Section& level : own) {
      if (level.has("max_in_flight")) {
        target.max_in_flight = level.integer("max_in_flight");
      }
    }
    target.off = provider->enabled ? "" : fmt::format("{} is off: {}", provider->name, provider->off_reason);
    std::vector<EffectiveValue> values = explain_values(levels);
    const Levels its_own = own.empty() ? Levels{place} : own;
    values.push_back(explain_value(its_own, "weight", fmt::format("{}", weight)));
    values.push_back(explain_value(its_own, "max_in_flight",
                                   target.max_in_flight == 0 ? "no limit" : fmt::format("{}", target.max_in_flight)));
    explain_keys(*provider, providers_.section(target.provider), values);
    values_.targets.push_back({.target = text,
                               .step = static_cast<int>(policy_.steps.size()),
                               .weight = weight,
                               .off = target.off,
                               .values = std::move(values)});
    return target;
  }

  /// "gpt-4o" alone: perhaps the name of another model was meant, which cannot be a target.
  [[nodiscard]] std::string hint_for_bare(const std::string& text) const {
    return root_.at("models").has(text) ? "; the name of another model cannot stand here" : "";
  }

  [[nodiscard]] std::string cure_for_unknown(const std::string& name) const {
    const std::string meant = settings::did_you_mean(name, providers_.names());
    return meant.empty() ? fmt::format("; there are {}", fmt::join(providers_.names(), ", ")) : meant;
  }

  void tell_if_dead() {
    std::vector<std::string> reasons;
    for (const TargetValues& target : values_.targets) {
      if (target.off.empty()) {
        return;
      }
      if (std::ranges::find(reasons, target.off) == reasons.end()) {
        reasons.push_back(target.off);
      }
    }
    if (!reasons.empty()) {
      report_.notice(entry_.origin, section_.path(),
                     fmt::format("none of its targets can be used: {}", fmt::join(reasons, "; ")));
    }
  }

  const Entry& entry_;
  Section root_;
  Section section_;
  const Providers& providers_;
  Report& report_;
  routing::ModelPolicy policy_;
  ModelValues values_;
};

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
  const Providers known(root, providers);
  if (const Node* node = root.node("models")) {
    for (const Entry& entry : node->entries) {
      ModelBuilder builder(entry, root, known, report);
      builder.build();
      models.push_back(std::move(builder.values()));
      if (const std::size_t star = entry.key.find('*'); star != std::string::npos) {
        add_pattern(table, {.prefix = entry.key.substr(0, star),
                            .suffix = entry.key.substr(star + 1),
                            .policy = std::move(builder.policy())});
      } else if (!builder.policy().steps.empty()) {
        table.exact.emplace(entry.key, std::move(builder.policy()));
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

namespace {

/// A provider at our own address would send each call round in a circle.
void refuse_circles(const Config& config, const Section& root, Report& report) {
  for (const ProviderConfig& provider : config.providers) {
    if (points_at(config.listen, provider.base_url)) {
      const Section section = root.at("providers").named(provider.name);
      report.error(section.origin("base_url"), section.path() + ".base_url",
                   fmt::format("{} is where weir itself listens", provider.base_url.text));
    }
  }
}

}  // namespace

Config build_config(const Section& root, Report& report, std::vector<ModelValues>& models) {
  Config config;
  build_server(root, report, config);
  build_store(root, report, config);
  build_auth(root, report, config);
  config.timeouts = effective_timeouts({root});
  config.retry = effective_retry({root});
  config.providers = build_providers(root, report);
  config.models = build_models(root, config.providers, report, models);
  if (config.providers.empty()) {
    report.notice({.source = root.origin().source}, "providers", "there is none, so no call can be answered");
  }
  build_limits(root, report, config);
  build_prices(root, report, config);
  refuse_circles(config, root, report);
  return config;
}

}  // namespace weir::app
