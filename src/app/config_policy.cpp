#include "app/config_policy.hpp"

#include "settings/units.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ranges>

namespace weir::app {

namespace {

using settings::Section;

/// The strongest section of that name that sets the option; where none does, the weakest, which knows the default.
Section strongest(const Levels& levels, std::string_view section, std::string_view option) {
  for (const Section& level : levels | std::views::reverse) {
    const Section here = level.at(section);
    if (here.has(option)) {
      return here;
    }
  }
  return levels.front().at(section);
}

/// The same for an option that stands in the level itself.
Section strongest(const Levels& levels, std::string_view option) {
  for (const Section& level : levels | std::views::reverse) {
    if (level.has(option)) {
      return level;
    }
  }
  return levels.front();
}

std::chrono::milliseconds duration(const Levels& levels, std::string_view section, std::string_view option) {
  return strongest(levels, section, option).duration(option);
}

EffectiveValue explained(const Levels& levels, std::string_view section, std::string_view option, std::string value) {
  const Section set_by = strongest(levels, section, option);
  return {.option = fmt::format("{}.{}", section, option),
          .value = std::move(value),
          .origin = set_by.has(option) ? settings::to_string(set_by.origin(option)) : "default"};
}

}  // namespace

EffectiveValue explain_value(const Levels& levels, std::string_view option, std::string value) {
  const Section set_by = strongest(levels, option);
  return {.option = std::string(option),
          .value = std::move(value),
          .origin = set_by.has(option) ? settings::to_string(set_by.origin(option)) : "default"};
}

routing::Timeouts effective_timeouts(const Levels& levels) {
  return {.connect = duration(levels, "timeouts", "connect"),
          .first_token = duration(levels, "timeouts", "first_token"),
          .between_events = duration(levels, "timeouts", "between_events"),
          .after_finish = duration(levels, "timeouts", "after_finish"),
          .attempt = duration(levels, "timeouts", "attempt"),
          .total = duration(levels, "timeouts", "total")};
}

routing::Retry effective_retry(const Levels& levels) {
  return {.attempts = strongest(levels, "retry", "attempts").integer("attempts"),
          .backoff = duration(levels, "retry", "backoff"),
          .backoff_max = duration(levels, "retry", "backoff_max"),
          .status_codes = strongest(levels, "retry", "status_codes").integers("status_codes"),
          .stop_after = duration(levels, "retry", "stop_after")};
}

routing::Recovery effective_recovery(const Levels& levels) {
  const std::string mode = strongest(levels, "recovery").text("recovery");
  return {.mode = mode == "none"      ? routing::RecoveryMode::none
                  : mode == "prefill" ? routing::RecoveryMode::prefill
                                      : routing::RecoveryMode::proven,
          .with_seed = strongest(levels, "recovery_with_seed").boolean("recovery_with_seed")};
}

routing::BreakerOptions effective_breaker(const Levels& levels) {
  const auto from = [&](std::string_view option) { return strongest(levels, "circuit_breaker", option); };
  return {.failure_threshold = from("failure_threshold").integer("failure_threshold"),
          .recovery_timeout = duration(levels, "circuit_breaker", "recovery_timeout"),
          .half_open_max_calls = from("half_open_max_calls").integer("half_open_max_calls"),
          .adaptive = from("adaptive_thresholds").boolean("adaptive_thresholds"),
          .success_rate_window = duration(levels, "circuit_breaker", "success_rate_window"),
          .failure_rate_window = duration(levels, "circuit_breaker", "failure_rate_window"),
          .recovery_success_threshold = from("recovery_success_threshold").number("recovery_success_threshold")};
}

std::vector<EffectiveValue> explain_values(const Levels& levels) {
  const routing::Timeouts timeouts = effective_timeouts(levels);
  const routing::Retry retry = effective_retry(levels);
  const routing::BreakerOptions breaker = effective_breaker(levels);
  return {explained(levels, "timeouts", "connect", settings::to_text(timeouts.connect)),
          explained(levels, "timeouts", "first_token", settings::to_text(timeouts.first_token)),
          explained(levels, "timeouts", "between_events", settings::to_text(timeouts.between_events)),
          explained(levels, "timeouts", "after_finish", settings::to_text(timeouts.after_finish)),
          explained(levels, "timeouts", "attempt", settings::to_text(timeouts.attempt)),
          explained(levels, "timeouts", "total", settings::to_text(timeouts.total)),
          explained(levels, "retry", "attempts", fmt::format("{}", retry.attempts)),
          explained(levels, "retry", "backoff", settings::to_text(retry.backoff)),
          explained(levels, "retry", "backoff_max", settings::to_text(retry.backoff_max)),
          explained(levels, "retry", "status_codes", fmt::format("{}", fmt::join(retry.status_codes, ", "))),
          explained(levels, "retry", "stop_after", settings::to_text(retry.stop_after)),
          explain_value(levels, "recovery", strongest(levels, "recovery").text("recovery")),
          explain_value(levels, "recovery_with_seed",
                        strongest(levels, "recovery_with_seed").boolean("recovery_with_seed") ? "true" : "false"),
          explained(levels, "circuit_breaker", "failure_threshold", fmt::format("{}", breaker.failure_threshold)),
          explained(levels, "circuit_breaker", "recovery_timeout", settings::to_text(breaker.recovery_timeout)),
          explained(levels, "circuit_breaker", "half_open_max_calls", fmt::format("{}", breaker.half_open_max_calls)),
          explained(levels, "circuit_breaker", "adaptive_thresholds", breaker.adaptive ? "true" : "false"),
          explained(levels, "circuit_breaker", "success_rate_window", settings::to_text(breaker.success_rate_window)),
          explained(levels, "circuit_breaker", "failure_rate_window", settings::to_text(breaker.failure_rate_window)),
          explained(levels, "circuit_breaker", "recovery_success_threshold",
                    fmt::format("{}", breaker.recovery_success_threshold))};
}

}  // namespace weir::app
