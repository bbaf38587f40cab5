#pragma once

#include "admin/identities.hpp"
#include "api/registry.hpp"

namespace weir::admin {

/// Adds `/admin/v1/audit`: who changed what. `identities` is asked when a request comes, and outlives the registry.
void add_audit_endpoint(api::Registry& registry, Identities* const& identities);

}  // namespace weir::admin
