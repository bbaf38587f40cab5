#include "load/histogram.hpp"

#include <gtest/gtest.h>

namespace weir::load {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(Histogram, is_zero_everywhere_while_empty) {
  Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0ns);
  EXPECT_EQ(histogram.min(), 0ns);
  EXPECT_EQ(histogram.max(), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
}

TEST(Histogram, is_exact_below_256_ns) {
  Histogram histogram;
  for (int i = 1; i <= 200; ++i) {
    histogram.record(nanoseconds(i));
  }
  EXPECT_EQ(histogram.quantile(0.5), 100ns);
  EXPECT_EQ(histogram.quantile(0.99), 198ns);
  EXPECT_EQ(histogram.quantile(1.0), 200ns);
  EXPECT_EQ(histogram.min(), 1ns);
}

TEST(Histogram, errs_upwards_and_by_less_than_one_percent_at_any_size) {
  for (std::int64_t value = 1; value < 1'000'000'000'000; value = value * 3 / 2 + 1) {
    Histogram histogram;
    histogram.record(nanoseconds(value));
    histogram.record(nanoseconds(value * 2));  // so that the quantile is not cut at the maximum
    auto median = histogram.quantile(0.5).count();
    EXPECT_GE(median, value);
    EXPECT_LE(static_cast<double>(median), static_cast<double>(value) * 1.008 + 1) << value;
  }
}

TEST(Histogram, never_reports_more_than_the_largest_value) {
  Histogram histogram;
  histogram.record(1'000'001ns);
  EXPECT_EQ(histogram.quantile(0.999), 1'000'001ns);
  EXPECT_EQ(histogram.max(), 1'000'001ns);
}

TEST(Histogram, counts_values_outside_its_range_at_its_ends) {
  Histogram histogram;
  histogram.record(-5ns);
  histogram.record(std::chrono::hours(100));
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.min(), 0ns);
  EXPECT_GT(histogram.max(), std::chrono::minutes(15));
}

TEST(Histogram, counts_what_lies_in_a_window) {
  Histogram histogram;
  histogram.record(20ms);
  histogram.record(41ms);
  histogram.record(44ms);
  histogram.record(70ms);
  EXPECT_EQ(histogram.count_between(36ms, 56ms), 2U);
  EXPECT_EQ(histogram.count_between(0ns, 10ms), 0U);
}

}  // namespace
}  // namespace weir::load
