#include "app/check_reasons.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "settings/units.hpp"

namespace weir::app {

namespace {

using routing::ModelPolicy;
using routing::Pattern;
using routing::Target;
using std::chrono::milliseconds;

/// The longest that one target may be asked for before the next one is, where a single attempt may last `limit`. A
/// repeat begins within retry.stop_after of the first attempt; its wait is at most retry.backoff_max.
milliseconds longest_on(const Target& target, milliseconds limit) {
  const int repeats = target.retry.attempts - 1;
  if (repeats == 0) {
    return limit;
  }
  return std::min(limit * (repeats + 1) + target.retry.backoff_max * repeats, target.retry.stop_after + limit);
}

std::string name_of(const Target& target) {
  return fmt::format("{}/{}", target.provider, target.model);
}

std::string place_of(const ConfigOutcome& outcome, const std::string& model) {
  const auto found = std::ranges::find(outcome.models, model, &ModelValues::name);
  const bool known = found != outcome.models.end() && !found->origin.empty();
  return known ? fmt::format("{}: models.{}", found->origin, model) : fmt::format("models.{}", model);
}

class Unreachable {
 public:
  explicit Unreachable(const ConfigOutcome& outcome) : outcome_(outcome), table_(outcome.config->models) {}

  std::vector<std::string> all() {
    for (const auto& [name, policy] : table_.exact) {
      look_at(policy);
    }
    for (const Pattern& pattern : table_.patterns) {
      look_at(pattern.policy);
    }
    look_at_patterns();
    look_at_forwards();
    look_at_providers();
    return std::move(lines_);
  }

 private:
  void look_at(const ModelPolicy& policy) {
    const std::string place = place_of(outcome_, policy.name);
    if (!table_.mock_provider.empty() && policy.name.starts_with("mock/")) {
      lines_.push_back(fmt::format("{}: never used: names that begin with mock/ go to the mock provider \"{}\"", place,
                                   table_.mock_provider));
    }
    std::set<std::string> seen;
    milliseconds silent{};  // what the targets before a step take where none of them says a word
    bool told = false;
    for (std::size_t i = 0; i < policy.steps.size(); ++i) {
      const routing::Step& step = policy.steps[i];
      const bool usable = std::ranges::any_of(step.any_of, [](const Target& target) { return target.off.empty(); });
      if (!usable && !step.any_of.empty()) {
        lines_.push_back(fmt::format("{}: step {} is never asked: {}", place, i + 1, step.any_of.front().off));
      } else if (!told && silent >= policy.timeouts.total) {
        told = true;
        lines_.push_back(fmt::format(
            "{}: step {} gets no chance when the targets before it are silent: they may take {}, and timeouts.total is "
            "{}; shorten timeouts.attempt and timeouts.first_token",
            place, i + 1, settings::to_text(silent), settings::to_text(policy.timeouts.total)));
      }
      for (const Target& target : step.any_of) {
        if (!target.off.empty()) {
          continue;
        }
        silent += std::min(target.timeouts.attempt, target.timeouts.first_token);
        if (!seen.insert(name_of(target)).second) {
          lines_.push_back(
              fmt::format("{}: step {} asks {} again, which has failed by then", place, i + 1, name_of(target)));
        }
      }
    }
  }

  /// The more specific of two patterns wins, so none hides another as a whole; two that are equally specific are told
  /// apart by their order alone.
  void look_at_patterns() {
    for (std::size_t i = 0; i < table_.patterns.size(); ++i) {
      for (std::size_t j = i + 1; j < table_.patterns.size(); ++j) {
        const Pattern& first = table_.patterns[i];
        const Pattern& second = table_.patterns[j];
        const bool prefixes = first.prefix.starts_with(second.prefix) || second.prefix.starts_with(first.prefix);
        const bool suffixes = first.suffix.ends_with(second.suffix) || second.suffix.ends_with(first.suffix);
        const bool equal = first.prefix.size() + first.suffix.size() == second.prefix.size() + second.suffix.size();
        if (prefixes && suffixes && equal) {
          lines_.push_back(fmt::format("{}: names that match \"{}\" too go there, since it stands first",
                                       place_of(outcome_, second.policy.name), first.policy.name));
        }
      }
    }
  }

  void look_at_forwards() {
    for (const routing::Forward& forward : table_.forwards) {
      const std::string names = forward.provider + "/";
      const auto taker = std::ranges::find_if(table_.patterns, [&](const Pattern& pattern) {
        return pattern.suffix.empty() && names.starts_with(pattern.prefix);
      });
      if (taker != table_.patterns.end() && forward.provider != table_.mock_provider) {
        lines_.push_back(
            fmt::format("providers.{}.unknown_models: forward never comes to effect: the pattern \"{}\" "
                        "takes every name that begins with {}",
                        forward.provider, taker->policy.name, names));
      }
    }
  }

  void look_at_providers() {
    std::set<std::string, std::less<>> asked;
    const auto note = [&asked](const ModelPolicy& policy) {
      for (const routing::Step& step : policy.steps) {
        for (const Target& target : step.any_of) {
          asked.insert(target.provider);
        }
      }
    };
    for (const auto& [name, policy] : table_.exact) {
      note(policy);
    }
    for (const Pattern& pattern : table_.patterns) {
      note(pattern.policy);
    }
    for (const ProviderConfig& provider : outcome_.config->providers) {
      const bool forwards = provider.unknown_models == UnknownModels::forward;
      if (provider.enabled && !forwards && !asked.contains(provider.name) && provider.name != table_.mock_provider) {
        lines_.push_back(fmt::format(
            "providers.{}: never asked: no model names it; add one, or unknown_models: forward", provider.name));
      }
    }
  }

  const ConfigOutcome& outcome_;
  const routing::ModelTable& table_;
  std::vector<std::string> lines_;
};

std::string line_for(const ModelPolicy& policy) {
  const WorstCase worst = worst_case(policy);
  if (worst.targets == 0) {
    return fmt::format("{}: no target can be asked", policy.name);
  }
  std::string line = fmt::format(
      "{}: {} target{}, at most {} attempt{}; the answer or an error within {}, streamed the "
      "first content within {}",
      policy.name, worst.targets, worst.targets == 1 ? "" : "s", worst.attempts, worst.attempts == 1 ? "" : "s",
      settings::to_text(worst.whole), settings::to_text(worst.first));
  if (worst.uncapped > worst.whole) {
    line += fmt::format(" (timeouts.total; the attempts could take {})", settings::to_text(worst.uncapped));
  }
  return line;
}

}  // namespace

WorstCase worst_case(const ModelPolicy& policy) {
  WorstCase worst;
  for (const routing::Step& step : policy.steps) {
    for (const Target& target : step.any_of) {
      if (target.off.empty()) {
        ++worst.targets;
        worst.attempts += target.retry.attempts;
        worst.uncapped += longest_on(target, target.timeouts.attempt);
        worst.first += longest_on(target, target.timeouts.first_token);
      }
    }
  }
  worst.whole = std::min(worst.uncapped, policy.timeouts.total);
  worst.first = std::min(worst.first, policy.timeouts.total);
  return worst;
}

std::vector<std::string> unreachable(const ConfigOutcome& outcome) {
  return outcome.config ? Unreachable(outcome).all() : std::vector<std::string>();
}

std::vector<std::string> worst_cases(const Config& config) {
  std::vector<std::string> lines;
  for (const auto& [name, policy] : config.models.exact) {
    lines.push_back(line_for(policy));
  }
  for (const Pattern& pattern : config.models.patterns) {
    lines.push_back(line_for(pattern.policy));
  }
  return lines;
}

}  // namespace weir::app
