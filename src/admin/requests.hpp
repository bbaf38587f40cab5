#pragma once

#include "api/registry.hpp"
#include "ledger/request_ring.hpp"

namespace weir::admin {

/// Adds `GET /admin/v1/requests`, the last calls, and `GET /admin/v1/requests/{id}`, the record of one of them; `last`
/// is the newest. `ring` outlives the registry.
void add_request_endpoints(api::Registry& registry, const ledger::RequestRing& ring);

}  // namespace weir::admin
