#include "load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace weir::load {
namespace {

constexpr unsigned step_bits = 7;  // 128 steps in each power of two: an error below 0.8 %
constexpr std::uint64_t steps = 1U << step_bits;
constexpr unsigned value_bits = 40;
constexpr std::uint64_t value_max = (std::uint64_t{1} << value_bits) - 1;

// Values below 2 * steps have a bucket each; above, each power of two is cut into `steps` equal buckets.
std::size_t bucket_of(std::uint64_t value) {
  auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= step_bits) {
    return value;
  }
  unsigned shift = width - step_bits - 1;
  return (shift + 1) * steps + ((value >> shift) - steps);
}

std::uint64_t upper_end(std::size_t bucket) {
  if (bucket < 2 * steps) {
    return bucket;
  }
  auto shift = static_cast<unsigned>(bucket / steps - 1);
  return ((bucket % steps + steps + 1) << shift) - 1;
}

std::uint64_t clamped(std::chrono::nanoseconds value) {
  return value.count() <= 0 ? 0 : std::min(static_cast<std::uint64_t>(value.count()), value_max);
}

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(value_max) + 1) {}

void Histogram::record(std::chrono::nanoseconds value) {
  auto number = clamped(value);
  ++buckets_[bucket_of(number)];
  ++count_;
  min_ = std::min(min_, number);
  max_ = std::max(max_, number);
  sum_ += static_cast<double>(number);
}

std::chrono::nanoseconds Histogram::min() const {
  return std::chrono::nanoseconds(count_ == 0 ? 0 : min_);
}

std::chrono::nanoseconds Histogram::mean() const {
  return std::chrono::nanoseconds(count_ == 0 ? 0 : std::llround(sum_ / static_cast<double>(count_)));
}

std::chrono::nanoseconds Histogram::quantile(double fraction) const {
  auto rank = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  rank = std::clamp<std::uint64_t>(rank, 1, std::max<std::uint64_t>(count_, 1));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) {
      return std::chrono::nanoseconds(std::min(upper_end(i), max_));
    }
  }
  return std::chrono::nanoseconds(0);
}

std::uint64_t Histogram::count_between(std::chrono::nanoseconds from, std::chrono::nanoseconds to) const {
  std::uint64_t sum = 0;
  for (std::size_t i = bucket_of(clamped(from)); i < bucket_of(clamped(to)); ++i) {
    sum += buckets_[i];
  }
  return sum;
}

}  // namespace weir::load
