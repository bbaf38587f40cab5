#pragma once

#include <atomic>

#include "api/registry.hpp"

namespace weir::api {

/// Collects the numbers of all cores for a scrape.
class MetricSource {
 public:
  virtual ~MetricSource() = default;
  /// On the loop of whoever asks.
  /// Nothing where not every core answered in time: a partial sum would look like counters that fell.
  virtual Task<std::optional<observe::MetricShard>> gather(platform::Loop& asking, platform::Until until) = 0;
};

/// Adds `/healthz`, `/readyz` and `/metrics/prometheus`. `ready` and `metrics` outlive the registry.
void add_status_endpoints(Registry& registry, const std::atomic<bool>& ready, MetricSource& metrics);

}  // namespace weir::api
