#include "observe/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

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

void MetricShard::merge(MetricShard other) {
  for (auto& [family, series] : other.families_) {
    Series& mine = families_[family];
    mine.merge(series);  // what was not here moves in, the rest stays
    for (const auto& [labels, cell] : series) {
      mine.at(labels).merge(cell);
    }
  }
}

namespace {

prometheus::MetricFamily to_prometheus(const MetricFamily& family, const MetricShard::Series& series) {
  prometheus::MetricFamily out;
  out.name = family.name;
  out.help = family.help;
  out.type = family.kind == MetricKind::counter ? prometheus::MetricType::Counter
             : family.kind == MetricKind::gauge ? prometheus::MetricType::Gauge
                                                : prometheus::MetricType::Histogram;
  for (const auto& [labels, cell] : series) {
    prometheus::ClientMetric metric;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      metric.label.push_back({std::string(family.labels[i]), labels[i]});
    }
    metric.counter.value = metric.gauge.value = cell.value;
    metric.histogram.sample_count = cell.count;
    metric.histogram.sample_sum = cell.value;
    std::uint64_t below = 0;
    for (std::size_t i = 0; family.kind == MetricKind::histogram && i < cell.buckets.size(); ++i) {
      below += cell.buckets[i];
      const double bound = i < second_bounds.size() ? second_bounds[i] : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({.cumulative_count = below, .upper_bound = bound});
    }
    out.metric.push_back(std::move(metric));
  }
  return out;
}

}  // namespace

std::string to_prometheus(const MetricShard& merged) {
  std::map<std::string_view, const MetricFamily*> by_name;
  for (const auto& [family, series] : merged.families()) {
    by_name.emplace(family->name, family);
  }
  // One after the other: what the library makes of a family is many times what it says.
  std::string text;
  for (const auto& [name, family] : by_name) {
    text += prometheus::TextSerializer().Serialize({to_prometheus(*family, merged.families().at(family))});
  }
  return text;
}

}  // namespace weir::observe
