#include "observe/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace weir::observe {

void Cell::observe(double seconds) {
  const auto bucket = std::ranges::lower_bound(second_bounds, seconds);
  ++buckets[static_cast<std::size_t>(bucket - second_bounds.begin())];
  ++count;
  value += seconds;
}

void Cell::merge(const Cell& other) {
  value += other.value;
  count += other.count;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i] += other.buckets[i];
  }
}

Cell& MetricShard::cell(const MetricFamily& family, const std::vector<std::string_view>& label_values) {
  return families_[&family][std::vector<std::string>(label_values.begin(), label_values.end())];
}

void MetricShard::merge(const MetricShard& other) {
  for (const auto& [family, series] : other.families_) {
    for (const auto& [labels, cell] : series) {
      families_[family][labels].merge(cell);
    }
  }
}

std::string to_prometheus(const MetricShard& merged) {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& [family, series] : merged.families()) {
    prometheus::MetricFamily out;
    out.name = family->name;
    out.help = family->help;
    out.type = family->kind == MetricKind::counter ? prometheus::MetricType::Counter
               : family->kind == MetricKind::gauge ? prometheus::MetricType::Gauge
                                                   : prometheus::MetricType::Histogram;
    for (const auto& [labels, cell] : series) {
      prometheus::ClientMetric metric;
      for (std::size_t i = 0; i < labels.size(); ++i) {
        metric.label.push_back({std::string(family->labels[i]), labels[i]});
      }
      metric.counter.value = metric.gauge.value = cell.value;
      metric.histogram.sample_count = cell.count;
      metric.histogram.sample_sum = cell.value;
      std::uint64_t below = 0;
      for (std::size_t i = 0; i < cell.buckets.size(); ++i) {
        below += cell.buckets[i];
        const double bound = i < second_bounds.size() ? second_bounds[i] : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({.cumulative_count = below, .upper_bound = bound});
      }
      out.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(out));
  }
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace weir::observe
