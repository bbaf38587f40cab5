#pragma once

#include "api/registry.hpp"
#include "ledger/live_feed.hpp"
#include "ledger/request_ring.hpp"

namespace weir::admin {

/// Adds `GET /admin/v1/live`: server-sent events of the calls as they run. First what runs and the last calls that
/// ended, then each step as it happens. `hub` and `ring` outlive the registry.
void add_live_endpoint(api::Registry& registry, ledger::LiveHub& hub, const ledger::RequestRing& ring);

}  // namespace weir::admin
