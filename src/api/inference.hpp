#pragma once

#include "api/registry.hpp"

namespace weir::api {

/// Adds `POST /v1/chat/completions`: every call of it goes through a gateway::Exchange.
void add_inference_endpoints(Registry& registry);

}  // namespace weir::api
