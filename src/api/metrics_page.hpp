#pragma once

#include "api/registry.hpp"
#include "api/status.hpp"

namespace weir::api {

/// Adds `GET /metrics`: JSON, or Prometheus' text where `Accept` prefers it. `metrics` and `version` outlive the
/// registry.
void add_metrics_endpoint(Registry& registry, MetricSource& metrics, std::string_view version);

}  // namespace weir::api
