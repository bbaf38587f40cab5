#pragma once

#include "api/registry.hpp"
#include "ledger/live_feed.hpp"
#include "ledger/request_ring.hpp"
#include "store/worker.hpp"

namespace weir::admin {

/// Adds `GET /admin/v1/requests`, calls page by page, and `GET /admin/v1/requests/{id}`, the record of one of them;
/// `last` is the newest. From the store, or, where `store` is null when a request comes, from the last calls in memory.
/// `calls`: those that run, or are about to be in the ring. All of them outlive the registry.
void add_request_endpoints(api::Registry& registry, const ledger::RequestRing& ring, const ledger::LiveHub& calls,
                           store::Worker* const& store);

}  // namespace weir::admin
