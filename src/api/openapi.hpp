#pragma once

#include <string>
#include <string_view>

#include "api/registry.hpp"

namespace weir::api {

/// The endpoints of `registry` as an OpenAPI 3.1 document: paths, methods, summaries and who may call come from the
/// registry, so that none is missing; shapes of bodies come from openapi.json, which adds to them. JSON.
[[nodiscard]] std::string openapi_document(const Registry& registry, std::string_view version);

/// openapi.json as it was when weir was built: `components`, and under `paths` what the registry cannot know.
[[nodiscard]] std::string_view openapi_shapes();

/// Adds `GET /openapi.json`, which describes every endpoint that is there now, itself included: the last one to be
/// added.
void add_openapi_endpoint(Registry& registry, std::string_view version);

}  // namespace weir::api
