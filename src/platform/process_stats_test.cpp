#include "platform/process_stats.hpp"

#include <gtest/gtest.h>

namespace weir::platform {
namespace {

TEST(ProcessStats, tell_of_a_process_that_runs) {
  const ProcessStats before = read_process_stats();
  EXPECT_GT(before.memory_bytes, std::uint64_t{1} << 20);
  EXPECT_GE(before.threads, 1);
  EXPECT_GE(before.cores, 1);
  volatile unsigned work = 0;
  while (read_process_stats().cpu_seconds <= before.cpu_seconds) {
    work = work + 1;
  }
}

}  // namespace
}  // namespace weir::platform
