#pragma once

#include "api/registry.hpp"
#include "routing/target_state.hpp"

namespace weir::admin {

/// Adds `GET /admin/v1/breakers` and `POST /admin/v1/breakers/{target}`. `targets` outlives the registry.
void add_breaker_endpoints(api::Registry& registry, const routing::TargetStates& targets);

}  // namespace weir::admin
