#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

/// What a metric is: its name, its one sentence, its labels. Constants, in one table (metric_names.hpp).
struct MetricFamily {
  std::string_view name;
  std::string_view help;
  MetricKind kind;
  std::vector<std::string_view> labels;
};

/// Upper bounds of every histogram of ours, in seconds: from what weir adds to what a reasoning model takes.
inline constexpr std::array<double, 18> second_bounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300};

/// One series. Which members mean something depends on the family's kind.
struct Cell {
  double value = 0;
  std::array<std::uint64_t, second_bounds.size() + 1> buckets{};  // not cumulative; the last is +Inf
  std::uint64_t count = 0;

  void add(double amount = 1) { value += amount; }
  void observe(double seconds);
  void merge(const Cell& other);
};

/// The metrics of one core: plain numbers without locks. Cells stay where they are, so a hot path keeps a pointer to
/// its own.
///
/// Belongs to one loop; a scrape posts to each loop, copies, and sums. Label values must come from configured names.
class MetricShard {
 public:
  Cell& cell(const MetricFamily& family, const std::vector<std::string_view>& label_values);

  using Series = std::map<std::vector<std::string>, Cell>;
  [[nodiscard]] const std::map<const MetricFamily*, Series>& families() const { return families_; }
  /// Adds every number of `other` to this one's.
  void merge(MetricShard other);

 private:
  std::map<const MetricFamily*, Series> families_;
};

/// The Prometheus text format 0.0.4 of the merged shards.
std::string to_prometheus(const MetricShard& merged);

}  // namespace weir::observe
