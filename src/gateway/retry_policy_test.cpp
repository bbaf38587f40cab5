#include "gateway/retry_policy.hpp"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using llm::Cause;

Decision after(AttemptFailure failure, int attempts = 1, platform::Duration on_target = 0s, std::uint64_t seed = 1) {
  platform::Random random(seed);
  return decide(failure, routing::Retry{}, attempts, on_target, random);
}

TEST(RetryPolicy, gives_back_at_once_what_every_target_would_say) {
  for (const Cause cause : {Cause::callers_fault, Cause::content_policy}) {
    EXPECT_EQ(after({.cause = cause, .status = 400}).step, NextStep::give_up) << llm::to_string(cause);
  }
}

TEST(RetryPolicy, repeats_what_may_pass_and_moves_on_after_the_last_attempt) {
  for (const int status : {408, 429, 500, 503, 529}) {
    const Cause cause = status == 429 ? Cause::rate : status == 408 ? Cause::slow : Cause::overload;
    EXPECT_EQ(after({.cause = cause, .status = status}).step, NextStep::repeat) << status;
    EXPECT_EQ(after({.cause = cause, .status = status}, 3).step, NextStep::next_target) << status;
  }
  EXPECT_EQ(after({.cause = Cause::transport}).step, NextStep::repeat);
  EXPECT_EQ(after({.cause = Cause::malformed, .status = 200}).step, NextStep::repeat);
  EXPECT_EQ(after({.cause = Cause::overload, .status = 200}).step, NextStep::repeat);
}

TEST(RetryPolicy, moves_on_at_once_where_the_same_target_cannot_help) {
  for (const Cause cause : {Cause::credential, Cause::key_quota, Cause::context_window, Cause::unsupported,
                            Cause::model_missing, Cause::gateway}) {
    // Whatever the status says: some providers tell a spent balance with 429, and a context window with 500.
    for (const int status : {0, 400, 429, 500}) {
      EXPECT_EQ(after({.cause = cause, .status = status}).step, NextStep::next_target) << llm::to_string(cause);
    }
  }
  EXPECT_EQ(after({.cause = Cause::slow}).step, NextStep::next_target);
  EXPECT_EQ(after({.code = Code::upstream_certificate, .cause = Cause::transport}).step, NextStep::next_target);
  EXPECT_EQ(after({.cause = Cause::overload, .status = 501}).step, NextStep::next_target);
}

TEST(RetryPolicy, knows_the_cause_of_what_is_no_answer) {
  EXPECT_EQ(cause_of(Code::upstream_unreachable), Cause::transport);
  EXPECT_EQ(cause_of(Code::refused), Cause::transport);
  EXPECT_EQ(cause_of(Code::reset), Cause::transport);
  EXPECT_EQ(cause_of(Code::end_of_stream), Cause::transport);
  EXPECT_EQ(cause_of(Code::upstream_certificate), Cause::transport);
  EXPECT_EQ(cause_of(Code::timeout), Cause::slow);
  EXPECT_EQ(cause_of(Code::upstream_malformed), Cause::malformed);
  EXPECT_EQ(cause_of(Code::overloaded), Cause::gateway);
}

TEST(RetryPolicy, waits_between_nothing_and_a_doubling_bound) {
  platform::Duration longest{};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    EXPECT_LE(after({.cause = Cause::overload, .status = 500}, 1, 0s, seed).wait, 500ms);
    longest = std::max(longest, after({.cause = Cause::overload, .status = 500}, 2, 0s, seed).wait);
  }
  EXPECT_LE(longest, 1000ms);
  EXPECT_GT(longest, 500ms);
}

TEST(RetryPolicy, takes_retry_after_as_a_floor_and_moves_on_when_it_is_long) {
  EXPECT_GE(after({.cause = Cause::rate, .status = 429, .retry_after = 2s}).wait, 2s);
  EXPECT_EQ(after({.cause = Cause::rate, .status = 429, .retry_after = 1h}).step, NextStep::next_target);
}

TEST(RetryPolicy, stops_repeating_a_target_that_has_had_its_time) {
  EXPECT_EQ(after({.cause = Cause::overload, .status = 503}, 1, 60s).step, NextStep::next_target);
}

}  // namespace
}  // namespace weir::gateway
