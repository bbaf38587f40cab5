#pragma once

#include "api/registry.hpp"
#include "ledger/request_ring.hpp"
#include "store/worker.hpp"

namespace weir::admin {

/// Adds `GET /admin/v1/usage`: sums over calls, as JSON or CSV. From the store, or, where `store` is null when a
/// request comes, from the last calls in memory. Both outlive the registry.
void add_usage_endpoint(api::Registry& registry, const ledger::RequestRing& ring, store::Worker* const& store);

}  // namespace weir::admin
