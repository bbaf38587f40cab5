#pragma once

#include "api/registry.hpp"
#include "api/status.hpp"
#include "providers/reachability.hpp"
#include "routing/target_state.hpp"

namespace weir::api {

/// Adds `GET /health`, `/health/detailed` and `/health/providers`: judged by what the calls of the last minute met,
/// never by a call in the request. All that is given outlives the registry.
void add_health_endpoints(Registry& registry, const std::atomic<bool>& ready, MetricSource& metrics,
                          const routing::TargetStates& targets, const providers::Reachability& reachability,
                          std::string_view version);

}  // namespace weir::api
