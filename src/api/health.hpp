#pragma once

#include "api/registry.hpp"
#include "api/status.hpp"
#include "routing/target_state.hpp"

namespace weir::api {

/// Adds `GET /health`, `/health/detailed` and `/health/providers`: judged by what the calls of the last minute met,
/// never by a call in the request. `ready`, `metrics` and `version` outlive the registry.
void add_health_endpoints(Registry& registry, const std::atomic<bool>& ready, MetricSource& metrics,
                          const routing::TargetStates& targets, std::string_view version);

}  // namespace weir::api
