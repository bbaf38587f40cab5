#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace weir::load {

/// Counts durations in buckets that are at most 1/128 of their value wide, as HdrHistogram does.
///
/// Fixed memory (35 KiB), constant time per record, from 1 ns to about 18 minutes; longer values count as the longest.
/// Not thread-safe.
class Histogram {
 public:
  Histogram();

  /// A negative duration counts as zero: clocks of two processes may differ by the time of a call.
  void record(std::chrono::nanoseconds value);

  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds min() const;
  std::chrono::nanoseconds max() const { return std::chrono::nanoseconds(max_); }
  std::chrono::nanoseconds mean() const;

  /// The smallest bucket's upper end that `fraction` of all values do not exceed; never above max(). Zero when empty.
  std::chrono::nanoseconds quantile(double fraction) const;

  /// How many values lie in the buckets from that of `from` up to, but without, that of `to`.
  std::uint64_t count_between(std::chrono::nanoseconds from, std::chrono::nanoseconds to) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
  double sum_ = 0;  // a double: the sum of many long waits in ns may not fit an integer
};

}  // namespace weir::load
