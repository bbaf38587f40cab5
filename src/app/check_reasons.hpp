#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/config_load.hpp"
#include "routing/policy.hpp"

namespace weir::app {

// What `weir check` concludes from a configuration that is correct: what can never happen, and how long calls may take.
// Pure. Fallback cannot go in a circle: a target names a provider and never another model, and a provider at our own
// address is refused when the configuration is read.

/// The most that a call of one model may cost in time, from the limits and retries of its targets.
struct WorstCase {
  int targets = 0;                       // that can be asked
  int attempts = 0;                      // at most, over all of them
  std::chrono::milliseconds whole{};     // not streamed: to the answer or the error; capped by timeouts.total
  std::chrono::milliseconds first{};     // streamed: to the first content or the error; capped likewise
  std::chrono::milliseconds uncapped{};  // `whole` without timeouts.total
};
WorstCase worst_case(const routing::ModelPolicy& policy);

/// What is configured and never comes to effect, each with its place: names that others take, steps that no call
/// reaches, providers that nothing asks.
std::vector<std::string> unreachable(const ConfigOutcome& outcome);

/// One line for each model: targets, attempts, seconds.
std::vector<std::string> worst_cases(const Config& config);

}  // namespace weir::app
