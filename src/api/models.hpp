#pragma once

#include "api/registry.hpp"
#include "gateway/model_directory.hpp"

namespace weir::api {

/// Adds `GET /v1/models` and `/v1/models/{id}`. `directory` outlives the registry.
void add_model_endpoints(Registry& registry, gateway::ModelDirectory& directory);

}  // namespace weir::api
