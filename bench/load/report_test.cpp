#include <gtest/gtest.h>

#include <string>

#include "load/load.hpp"

namespace weir::load {
namespace {

using namespace std::chrono_literals;

bool says(const Report& report, std::string_view text) {
  return report.json({}).find(text) != std::string::npos;
}

TEST(Report, names_every_fault_with_its_count) {
  Report report;
  report.faults[static_cast<std::size_t>(Fault::timeout)] = 3;
  report.faults[static_cast<std::size_t>(Fault::connect)] = 1;
  EXPECT_EQ(report.errors(), 4U);
  EXPECT_TRUE(says(report, "\"errors\":4"));
  EXPECT_TRUE(says(report, "\"timeout\":3"));
  EXPECT_TRUE(says(report, "\"connect\":1"));
  EXPECT_EQ(name_of(Fault::not_sent), "not_sent");
}

TEST(Report, sees_a_step_at_40_ms) {
  Report report;
  for (int i = 0; i < 1000; ++i) {
    report.latency.record(100us);
  }
  for (int i = 0; i < 7; ++i) {
    report.latency.record(41ms);
  }
  EXPECT_TRUE(says(report, "\"steps_40ms\":7}"));
}

TEST(Report, takes_no_smooth_tail_for_a_step) {
  Report report;
  for (int i = 1; i < 100; ++i) {
    report.latency.record(i * 1ms);
  }
  EXPECT_TRUE(says(report, "\"steps_40ms\":0}"));
}

}  // namespace
}  // namespace weir::load
