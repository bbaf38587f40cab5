#pragma once

#include "api/registry.hpp"

namespace weir::api {

/// Adds `POST /v1/chat/completions`, `/v1/completions`, `/v1/embeddings` and `/v1/generate`: every call of them goes
/// through a gateway::Exchange.
void add_inference_endpoints(Registry& registry);

}  // namespace weir::api
