#pragma once

#include "admin/identities.hpp"
#include "api/registry.hpp"

namespace weir::admin {

/// Adds `/admin/v1/keys`: caller keys are made, listed, changed, rotated and revoked. `identities` is asked when a
/// request comes, and outlives the registry.
void add_key_endpoints(api::Registry& registry, Identities* const& identities);

}  // namespace weir::admin
