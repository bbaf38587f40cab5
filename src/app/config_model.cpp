#include "app/config_model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <span>
#include <tuple>

#include "app/config_policy.hpp"
#include "settings/nearest.hpp"

namespace weir::app {

namespace {

using settings::Entry;
using settings::Node;
using settings::Report;
using settings::Section;

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

class ModelBuilder {
 public:
  ModelBuilder(const Entry& entry, const Section& root, const KnownProviders& providers, Report& report)
      : entry_(entry),
        root_(root),
        section_(root.at("models").named(entry.key)),
        providers_(providers),
        report_(report) {
    policy_.name = entry.key;
    values_.name = entry.key;
    values_.origin = settings::to_string(entry.origin);
  }

  BuiltModel build() {
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
    return {.policy = std::move(policy_), .values = std::move(values_)};
  }

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
  const KnownProviders& providers_;
  Report& report_;
  routing::ModelPolicy policy_;
  ModelValues values_;
};

}  // namespace

BuiltModel build_model(const Entry& entry, const Section& root, const KnownProviders& providers, Report& report) {
  return ModelBuilder(entry, root, providers, report).build();
}

}  // namespace weir::app
