#include "routing/circuit_breaker.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "platform/random.hpp"

namespace weir::routing {
namespace {

using namespace std::chrono_literals;
using platform::Instant;
using Outcome = CircuitBreaker::Outcome;
using Permit = CircuitBreaker::Permit;

class CircuitBreakerTest : public testing::Test {
 protected:
  BreakerOptions options{.failure_threshold = 3, .recovery_timeout = 10s, .half_open_max_calls = 2};
  CircuitBreaker breaker;
  Instant now{1h};

  bool call(Outcome outcome) {
    const auto permit = breaker.admit(options, now);
    EXPECT_TRUE(permit) << "it is open";
    return permit && breaker.ended(*permit, outcome, options, now);
  }
  void trip() {
    for (int i = 1; i < options.failure_threshold; ++i) {
      EXPECT_FALSE(call(Outcome::failure));
    }
    EXPECT_TRUE(call(Outcome::failure));
  }
  [[nodiscard]] BreakerState state() const { return breaker.state(now); }
};

TEST_F(CircuitBreakerTest, opens_on_failures_in_a_row) {
  EXPECT_FALSE(call(Outcome::failure));
  EXPECT_FALSE(call(Outcome::failure));
  EXPECT_FALSE(call(Outcome::success));
  EXPECT_EQ(breaker.failures_in_a_row(), 0);
  trip();
  EXPECT_EQ(state(), BreakerState::open);
  EXPECT_EQ(breaker.open_until(), now + 10s);
  EXPECT_EQ(breaker.trips(), 1U);
  EXPECT_FALSE(breaker.admit(options, now));
  EXPECT_FALSE(breaker.admit(options, now + 10s - 1ns));
}

TEST_F(CircuitBreakerTest, what_says_nothing_about_the_provider_neither_trips_nor_heals) {
  call(Outcome::failure);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(call(Outcome::nothing));
  }
  EXPECT_EQ(breaker.failures_in_a_row(), 1);
  EXPECT_EQ(state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, late_failures_move_no_deadline) {
  const auto slow = breaker.admit(options, now);
  trip();
  const Instant until = breaker.open_until();
  now += 5s;
  EXPECT_FALSE(breaker.ended(*slow, Outcome::failure, options, now));
  EXPECT_EQ(breaker.open_until(), until);
  now += 5s;
  EXPECT_EQ(state(), BreakerState::half_open);
}

TEST_F(CircuitBreakerTest, a_late_success_from_before_closes_nothing) {
  const auto first = breaker.admit(options, now);
  const auto second = breaker.admit(options, now);
  trip();
  now += 10s;
  breaker.ended(*first, Outcome::success, options, now);
  breaker.ended(*second, Outcome::success, options, now);
  EXPECT_EQ(state(), BreakerState::half_open);
}

TEST_F(CircuitBreakerTest, closes_when_all_trials_of_a_recovery_period_succeed) {
  trip();
  now += 10s;
  const auto first = breaker.admit(options, now);
  const auto second = breaker.admit(options, now);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->trial);
  EXPECT_FALSE(breaker.admit(options, now)) << "a third at once";
  EXPECT_FALSE(breaker.ended(*first, Outcome::success, options, now));
  EXPECT_EQ(state(), BreakerState::half_open);
  EXPECT_FALSE(breaker.admit(options, now)) << "one succeeded and one runs: two of two";
  breaker.ended(*second, Outcome::success, options, now);
  EXPECT_EQ(state(), BreakerState::closed);
  EXPECT_TRUE(breaker.calm());
  EXPECT_FALSE(breaker.admit(options, now)->trial);
}

TEST_F(CircuitBreakerTest, one_failed_trial_opens_it_for_another_whole_time) {
  trip();
  now += 12s;
  const auto first = breaker.admit(options, now);
  const auto second = breaker.admit(options, now);
  now += 1s;
  EXPECT_TRUE(breaker.ended(*first, Outcome::failure, options, now));
  EXPECT_EQ(breaker.open_until(), now + 10s);
  EXPECT_EQ(breaker.trips(), 2U);
  EXPECT_FALSE(breaker.ended(*second, Outcome::failure, options, now + 5s)) << "it began in the period before";
  EXPECT_EQ(breaker.open_until(), now + 10s);
}

TEST_F(CircuitBreakerTest, a_trial_that_says_nothing_gives_its_place_back) {
  trip();
  now += 10s;
  for (int i = 0; i < 5; ++i) {
    const auto first = breaker.admit(options, now);
    const auto second = breaker.admit(options, now);
    ASSERT_TRUE(first && second);
    breaker.ended(*first, Outcome::nothing, options, now);
    breaker.ended(*second, Outcome::nothing, options, now);
  }
  EXPECT_EQ(state(), BreakerState::half_open);
}

TEST_F(CircuitBreakerTest, early_trials_are_few_and_move_no_deadline) {
  trip();
  const Instant until = breaker.open_until();
  now += 1s;
  for (int i = 0; i < 2; ++i) {
    const auto permit = breaker.admit_early(options, now);
    ASSERT_TRUE(permit);
    EXPECT_TRUE(permit->trial);
    EXPECT_FALSE(breaker.ended(*permit, Outcome::failure, options, now));
  }
  EXPECT_FALSE(breaker.admit_early(options, now)) << "all of this period are used up";
  EXPECT_EQ(breaker.open_until(), until);
  now = until;
  EXPECT_TRUE(breaker.admit(options, now));
}

TEST_F(CircuitBreakerTest, early_trials_that_succeed_close_it) {
  trip();
  now += 1s;
  for (int i = 0; i < 2; ++i) {
    const auto permit = breaker.admit_early(options, now);
    ASSERT_TRUE(permit);
    breaker.ended(*permit, Outcome::success, options, now);
  }
  EXPECT_EQ(state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, an_early_trial_that_still_runs_counts_when_it_is_half_open) {
  trip();
  const auto early = breaker.admit_early(options, now);
  now += 10s;
  EXPECT_TRUE(breaker.admit(options, now));
  EXPECT_FALSE(breaker.admit(options, now)) << "two at once already";
  EXPECT_TRUE(breaker.ended(*early, Outcome::failure, options, now));
}

TEST_F(CircuitBreakerTest, opened_by_hand_it_stays_open_until_it_is_closed_by_hand) {
  const auto running = breaker.admit(options, now);
  breaker.open_by_hand();
  EXPECT_TRUE(breaker.opened_by_hand(now));
  EXPECT_EQ(breaker.ended(*running, Outcome::success, options, now), false);
  now += 1000h;
  EXPECT_EQ(state(), BreakerState::open);
  EXPECT_FALSE(breaker.admit(options, now));
  EXPECT_FALSE(breaker.admit_early(options, now));
  breaker.close_by_hand();
  EXPECT_EQ(state(), BreakerState::closed);
  EXPECT_TRUE(breaker.admit(options, now));
  EXPECT_EQ(breaker.trips(), 0U) << "nothing failed";
}

TEST_F(CircuitBreakerTest, opened_by_hand_for_a_while_it_is_tried_when_that_is_over) {
  breaker.open_by_hand(now + 10min);
  now += 599s;
  EXPECT_TRUE(breaker.opened_by_hand(now));
  EXPECT_FALSE(breaker.admits(options, now));
  EXPECT_FALSE(breaker.admit_early(options, now));
  now += 1s;
  EXPECT_FALSE(breaker.opened_by_hand(now));
  EXPECT_EQ(state(), BreakerState::half_open);
  EXPECT_FALSE(call(Outcome::success));
  EXPECT_FALSE(call(Outcome::success));
  EXPECT_EQ(state(), BreakerState::closed);
  breaker.open_by_hand(now + 10min);
  now += 10min;
  EXPECT_TRUE(call(Outcome::failure));
  EXPECT_FALSE(breaker.opened_by_hand(now)) << "it opened by itself";
}

TEST_F(CircuitBreakerTest, a_refusal_opens_it_at_once) {
  EXPECT_TRUE(call(Outcome::refusal));
  EXPECT_EQ(breaker.open_until(), now + 10s);
  now += 10s;
  EXPECT_TRUE(call(Outcome::refusal));
  EXPECT_EQ(breaker.open_until(), now + 10s);
  EXPECT_EQ(breaker.trips(), 2U);
  const auto early = breaker.admit_early(options, now);
  EXPECT_FALSE(breaker.ended(*early, Outcome::refusal, options, now + 1s)) << "that was known";
  EXPECT_EQ(breaker.open_until(), now + 10s);
}

TEST_F(CircuitBreakerTest, adaptive_a_refusal_needs_no_share_of_failures) {
  options.adaptive = true;
  for (int i = 0; i < 100; ++i) {
    call(Outcome::success);
  }
  EXPECT_TRUE(call(Outcome::refusal));
}

TEST_F(CircuitBreakerTest, tells_whether_it_would_admit_and_changes_nothing_by_it) {
  EXPECT_TRUE(breaker.admits(options, now));
  trip();
  EXPECT_FALSE(breaker.admits(options, now));
  now += 10s;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(breaker.admits(options, now));
  }
  EXPECT_TRUE(breaker.admit(options, now));
  EXPECT_TRUE(breaker.admit(options, now));
  EXPECT_FALSE(breaker.admits(options, now));
}

TEST_F(CircuitBreakerTest, a_copy_takes_over_the_state_and_not_the_calls) {
  trip();
  now += 10s;
  const auto trial = breaker.admit(options, now);
  const auto second = breaker.admit(options, now);
  CircuitBreaker copy = breaker;
  copy.forget_calls();
  EXPECT_TRUE(copy.admits(options, now)) << "nobody tries it";
  EXPECT_FALSE(copy.ended(*trial, Outcome::failure, options, now));
  EXPECT_EQ(copy.state(now), BreakerState::half_open);
  EXPECT_TRUE(breaker.ended(*second, Outcome::failure, options, now));
  copy.forgive();
  EXPECT_EQ(copy.state(now), BreakerState::closed);
  copy.open_by_hand();
  copy.forgive();
  EXPECT_TRUE(copy.opened_by_hand(now)) << "that is the operator's to take back";
}

TEST_F(CircuitBreakerTest, closed_by_hand_it_forgets) {
  trip();
  breaker.close_by_hand();
  EXPECT_FALSE(call(Outcome::failure));
  EXPECT_FALSE(call(Outcome::failure));
  EXPECT_TRUE(call(Outcome::failure));
}

/// Whatever happens: no more trials at once than allowed, no change of the deadline but by a trip, and always a way
/// back to closed.
TEST_F(CircuitBreakerTest, holds_its_rules_in_any_order_of_events) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    platform::Random random(seed);
    breaker = {};
    options.adaptive = random.below(2) == 1;
    options.half_open_max_calls = static_cast<int>(1 + random.below(4));
    std::vector<Permit> running;
    for (int i = 0; i < 400; ++i) {
      const Instant until = breaker.open_until();
      const std::uint64_t trips = breaker.trips();
      switch (random.below(4)) {
        case 0:
          if (const auto permit = breaker.admit(options, now)) {
            running.push_back(*permit);
          }
          break;
        case 1:
          if (const auto permit = random.below(4) == 0 ? breaker.admit_early(options, now) : std::nullopt) {
            running.push_back(*permit);
          }
          break;
        case 2: now += std::chrono::milliseconds(random.below(3000)); break;
        default:
          if (!running.empty()) {
            const std::size_t at = random.below(running.size());
            breaker.ended(running[at], static_cast<Outcome>(random.below(3)), options, now);
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
          }
      }
      int trials = 0;
      for (const Permit& permit : running) {
        trials += permit.trial && permit.period == breaker.period() ? 1 : 0;
      }
      ASSERT_LE(trials, 2 * options.half_open_max_calls) << "seed " << seed;  // early ones and those of half-open
      if (breaker.trips() == trips && breaker.state(now) != BreakerState::closed) {
        ASSERT_EQ(breaker.open_until(), until) << "seed " << seed;
      }
    }
    for (const Permit& permit : running) {
      breaker.ended(permit, Outcome::nothing, options, now);
    }
    now = std::max(now, breaker.open_until());
    for (int i = 0; i < options.half_open_max_calls && breaker.state(now) != BreakerState::closed; ++i) {
      const auto permit = breaker.admit(options, now);
      ASSERT_TRUE(permit) << "seed " << seed;
      breaker.ended(*permit, Outcome::success, options, now);
    }
    ASSERT_EQ(breaker.state(now), BreakerState::closed) << "seed " << seed;
  }
}

class AdaptiveBreakerTest : public CircuitBreakerTest {
 protected:
  AdaptiveBreakerTest() {
    options = {.failure_threshold = 5,
               .recovery_timeout = 10s,
               .half_open_max_calls = 5,
               .adaptive = true,
               .success_rate_window = 20s,
               .failure_rate_window = 30s,
               .recovery_success_threshold = 0.8};
  }
  /// Trials with so many failures; true: it is closed.
  bool recover(int failures) {
    now = breaker.open_until();
    for (int i = 0; i < options.half_open_max_calls; ++i) {
      const auto permit = breaker.admit(options, now);
      if (!permit) {
        break;
      }
      breaker.ended(*permit, i < failures ? Outcome::failure : Outcome::success, options, now);
    }
    return state() == BreakerState::closed;
  }
  std::chrono::nanoseconds trip_again() {
    while (state() == BreakerState::closed) {
      call(Outcome::failure);
    }
    return breaker.open_until() - now;
  }
};

TEST_F(AdaptiveBreakerTest, a_few_failures_among_many_successes_do_not_open_it) {
  for (int i = 0; i < 100; ++i) {
    call(i % 3 == 0 ? Outcome::failure : Outcome::success);
    now += 100ms;
  }
  EXPECT_EQ(state(), BreakerState::closed);
}

TEST_F(AdaptiveBreakerTest, most_of_a_window_failing_opens_it_though_no_five_fail_in_a_row) {
  int calls = 0;
  for (; calls < 100 && state() == BreakerState::closed; ++calls) {
    call(calls % 4 == 0 ? Outcome::success : Outcome::failure);
    now += 100ms;
  }
  EXPECT_EQ(state(), BreakerState::open);
  EXPECT_LE(calls, 10);
}

TEST_F(AdaptiveBreakerTest, failures_that_left_the_window_do_not_count) {
  for (int i = 0; i < 50; ++i) {
    call(Outcome::failure);
    now += 10s;
  }
  EXPECT_EQ(state(), BreakerState::closed) << "never five within 30 s";
}

TEST_F(AdaptiveBreakerTest, the_asked_share_of_the_trials_is_enough) {
  trip_again();
  EXPECT_TRUE(recover(1)) << "four of five";
  trip_again();
  EXPECT_FALSE(recover(2)) << "three of five";
  EXPECT_EQ(state(), BreakerState::open);
}

TEST_F(AdaptiveBreakerTest, the_recovery_timeout_grows_with_trips_and_shrinks_with_success) {
  EXPECT_EQ(trip_again(), 10s);
  ASSERT_TRUE(recover(0));
  EXPECT_EQ(trip_again(), 20s);
  ASSERT_FALSE(recover(5));
  EXPECT_EQ(breaker.open_until() - now, 40s);
  for (int i = 0; i < 10; ++i) {
    ASSERT_FALSE(recover(5));
  }
  EXPECT_EQ(breaker.open_until() - now, 320s) << "at most 32 times";
  ASSERT_TRUE(recover(0));
  for (int i = 0; i < 41; ++i) {  // two good windows
    call(Outcome::success);
    now += 1s;
  }
  EXPECT_EQ(trip_again(), 80s);
}

}  // namespace
}  // namespace weir::routing
