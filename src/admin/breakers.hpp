#pragma once

#include "admin/identities.hpp"
#include "api/registry.hpp"
#include "routing/target_state.hpp"

namespace weir::admin {

/// Adds `GET /admin/v1/breakers` and `POST /admin/v1/breakers/{target}`. `targets` outlives the registry; so do
/// `identities`, which are asked when a request comes, for the audit log, and may be null.
void add_breaker_endpoints(api::Registry& registry, const routing::TargetStates& targets,
                           Identities* const& identities);

}  // namespace weir::admin
