#include "observe/metrics.hpp"

#include <gtest/gtest.h>

namespace weir::observe {
namespace {

const MetricFamily calls{"test_calls_total", "Calls.", MetricKind::counter, {"route", "status"}};
const MetricFamily open_now{"test_open", "Open now.", MetricKind::gauge, {}};
const MetricFamily seconds{"test_seconds", "How long.", MetricKind::histogram, {"endpoint"}};

TEST(Metrics, shards_add_up_series_by_series) {
  MetricShard one;
  MetricShard two;
  one.cell(calls, {"a", "200"}).add();
  two.cell(calls, {"a", "200"}).add(2);
  two.cell(calls, {"b", "500"}).add();
  one.cell(open_now, {}).add(3);
  two.cell(open_now, {}).add(-1);
  one.merge(two);
  const std::string text = to_prometheus(one);
  EXPECT_NE(text.find("test_calls_total{route=\"a\",status=\"200\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_calls_total{route=\"b\",status=\"500\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_open 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# TYPE test_calls_total counter\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# HELP test_open Open now.\n"), std::string::npos) << text;
}

TEST(Metrics, a_bucket_takes_its_own_bound_and_buckets_accumulate) {
  MetricShard shard;
  Cell& cell = shard.cell(seconds, {"/x"});
  cell.observe(0.0001);  // the first bound exactly
  cell.observe(0.00011);
  cell.observe(1e9);  // beyond the last
  const std::string text = to_prometheus(shard);
  EXPECT_NE(text.find("test_seconds_bucket{endpoint=\"/x\",le=\"0.0001\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_seconds_bucket{endpoint=\"/x\",le=\"0.00025\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_seconds_bucket{endpoint=\"/x\",le=\"300\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_seconds_bucket{endpoint=\"/x\",le=\"+Inf\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_seconds_count{endpoint=\"/x\"} 3\n"), std::string::npos) << text;
}

TEST(Metrics, label_values_cannot_break_the_format) {
  MetricShard shard;
  shard.cell(calls, {"a\"b\\c\nd", "200"}).add();
  const std::string text = to_prometheus(shard);
  EXPECT_NE(text.find(R"(route="a\"b\\c\nd")"), std::string::npos) << text;
}

TEST(Metrics, cells_stay_where_they_are_while_others_are_added) {
  MetricShard shard;
  Cell* const first = &shard.cell(calls, {"first", "200"});
  for (int i = 0; i < 1000; ++i) {
    shard.cell(calls, {std::to_string(i), "200"}).add();
  }
  EXPECT_EQ(first, &shard.cell(calls, {"first", "200"}));
}

}  // namespace
}  // namespace weir::observe
