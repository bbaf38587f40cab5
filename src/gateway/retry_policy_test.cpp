#include "gateway/retry_policy.hpp"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

Decision after(AttemptFailure failure, int attempts = 1, platform::Duration on_target = 0s, std::uint64_t seed = 1) {
  platform::Random random(seed);
  return decide(failure, routing::Retry{}, attempts, on_target, random);
}

TEST(RetryPolicy, gives_the_callers_own_faults_back_at_once) {
  for (const int status : {400, 413, 422}) {
    EXPECT_EQ(after({.code = Code::upstream_error, .status = status}).step, NextStep::give_up) << status;
  }
}

TEST(RetryPolicy, repeats_what_may_pass_and_moves_on_after_the_last_attempt) {
  for (const int status : {408, 429, 500, 503, 529}) {
    EXPECT_EQ(after({.code = Code::upstream_error, .status = status}).step, NextStep::repeat) << status;
    EXPECT_EQ(after({.code = Code::upstream_error, .status = status}, 3).step, NextStep::next_target) << status;
  }
  EXPECT_EQ(after({.code = Code::upstream_unreachable}).step, NextStep::repeat);
  EXPECT_EQ(after({.code = Code::upstream_malformed, .status = 200}).step, NextStep::repeat);
}

TEST(RetryPolicy, moves_on_at_once_where_the_same_target_cannot_help) {
  for (const int status : {401, 402, 403, 404, 501}) {
    EXPECT_EQ(after({.code = Code::upstream_error, .status = status}).step, NextStep::next_target) << status;
  }
  EXPECT_EQ(after({.code = Code::upstream_timeout}).step, NextStep::next_target);
}

TEST(RetryPolicy, waits_between_nothing_and_a_doubling_bound) {
  platform::Duration longest{};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    EXPECT_LE(after({.code = Code::upstream_error, .status = 500}, 1, 0s, seed).wait, 500ms);
    longest = std::max(longest, after({.code = Code::upstream_error, .status = 500}, 2, 0s, seed).wait);
  }
  EXPECT_LE(longest, 1000ms);
  EXPECT_GT(longest, 500ms);
}

TEST(RetryPolicy, takes_retry_after_as_a_floor_and_moves_on_when_it_is_long) {
  EXPECT_GE(after({.code = Code::upstream_error, .status = 429, .retry_after = 2s}).wait, 2s);
  EXPECT_EQ(after({.code = Code::upstream_error, .status = 429, .retry_after = 1h}).step, NextStep::next_target);
}

TEST(RetryPolicy, stops_repeating_a_target_that_has_had_its_time) {
  EXPECT_EQ(after({.code = Code::upstream_error, .status = 503}, 1, 60s).step, NextStep::next_target);
}

}  // namespace
}  // namespace weir::gateway
