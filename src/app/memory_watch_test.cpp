#include "app/memory_watch.hpp"

#include <gtest/gtest.h>

namespace weir::app {
namespace {

platform::ProcessStats stats(std::uint64_t mebibytes, double cpu_seconds) {
  return {.cpu_seconds = cpu_seconds, .memory_bytes = mebibytes << 20};
}

TEST(MemoryWatch, gives_back_what_came_since_the_last_time_once_there_is_little_work) {
  MemoryWatch watch(stats(40, 1));
  EXPECT_FALSE(watch.is_time(stats(41, 1)));
  EXPECT_FALSE(watch.is_time(stats(60, 5))) << "calls run";
  EXPECT_TRUE(watch.is_time(stats(60, 5.1)));
  EXPECT_FALSE(watch.is_time(stats(52, 5.1))) << "that much is really used";
  for (int i = 2; i < MemoryWatch::looks_between; ++i) {
    EXPECT_FALSE(watch.is_time(stats(60, 5.1))) << "not often";
  }
  EXPECT_TRUE(watch.is_time(stats(60, 5.1)));
  EXPECT_FALSE(watch.is_time(stats(60, 5.1)));
  for (int i = 0; i < 2 * MemoryWatch::looks_between; ++i) {
    EXPECT_FALSE(watch.is_time(stats(61, 5.1))) << "nothing to give";
  }
}

}  // namespace
}  // namespace weir::app
