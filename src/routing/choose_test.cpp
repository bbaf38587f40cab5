#include "routing/choose.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include "platform/random.hpp"
#include "routing/target_state.hpp"

namespace weir::routing {
namespace {

using namespace std::chrono_literals;
using platform::Duration;
using platform::Instant;

/// Members with states of their own.
struct Members {
  explicit Members(const std::vector<int>& weights) {
    for (const int weight : weights) {
      Target& target = targets.emplace_back();
      target.provider = fmt::format("p{}", targets.size() - 1);
      target.model = "m";
      target.weight = weight;
      target.live.state =
          std::make_shared<TargetState>(target.provider + "/m", std::make_shared<ProviderLoad>(target.provider));
    }
    for (const Target& target : targets) {
      candidates.push_back({.target = &target, .upstream_model = target.model});
    }
  }
  std::deque<Target> targets;
  std::vector<Candidate> candidates;
};

TEST(Choose, weights_hold_over_every_stretch_of_calls) {
  const Members members({9, 1});
  StepTurns turns;
  for (int stretch = 0; stretch < 20; ++stretch) {
    int first = 0;
    for (int i = 0; i < 1000; ++i) {
      first += choose(members.candidates, Balance::weighted, turns.next(), {}) == 0 ? 1 : 0;
    }
    EXPECT_NEAR(first, 900, 5) << "stretch " << stretch;
  }
}

TEST(Choose, equal_members_get_equal_shares) {
  for (const std::size_t count : {2U, 3U, 5U, 10U}) {
    const Members members(std::vector<int>(count, 1));
    StepTurns turns;
    std::vector<int> got(count);
    for (int i = 0; i < 10'000; ++i) {
      ++got[choose(members.candidates, Balance::weighted, turns.next(), {})];
    }
    const auto [least, most] = std::ranges::minmax_element(got);
    EXPECT_LT(*most, *least * 1.02) << count << " members";
  }
}

TEST(Choose, shares_hold_over_threads_that_take_turns_at_random) {
  StepTurns turns;
  std::atomic<int> first = 0;
  const Members members({9, 1});
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2500; ++i) {
          first += choose(members.candidates, Balance::weighted, turns.next(), {}) == 0 ? 1 : 0;
        }
      });
    }
  }
  EXPECT_NEAR(first.load(), 9000, 5);
}

TEST(Choose, whoever_is_left_shares_by_weight) {
  const Members members({90, 5, 3, 2});
  platform::Random random(4);
  std::vector<int> got(3);
  const std::span left = std::span(members.candidates).subspan(1);
  for (int i = 0; i < 10'000; ++i) {
    ++got[choose(left, Balance::weighted, random.unit(), {})];
  }
  EXPECT_NEAR(got[0], 5000, 250);
  EXPECT_NEAR(got[1], 3000, 250);
  EXPECT_NEAR(got[2], 2000, 250);
}

/// Calls that keep fifty in flight; each takes as long as its member does. Returns the members' shares.
std::vector<double> shares_at_fifty_in_flight(Balance balance, const std::vector<Duration>& pace) {
  Members members(std::vector<int>(pace.size(), 1));
  StepTurns turns;
  Instant now{1h};
  std::multimap<Instant, std::pair<std::size_t, Slot>> running;
  std::vector<double> got(pace.size());
  constexpr int calls = 10'000;
  for (int i = 0; i < calls; ++i) {
    if (running.size() == 50) {
      auto done = running.begin();
      now = done->first;
      auto& [member, slot] = done->second;
      slot.answered(pace[member], now, true);
      slot.end(CircuitBreaker::Outcome::success, now);
      running.erase(done);
    }
    const std::size_t chosen = choose(members.candidates, balance, turns.next(), now);
    auto slot = members.targets[chosen].live.state->take(members.targets[chosen], now);
    EXPECT_TRUE(slot);
    running.emplace(now + pace[chosen], std::pair(chosen, *std::move(slot)));
    got[chosen] += 1.0 / calls;
  }
  return got;
}

TEST(Choose, a_target_that_is_ten_times_slower_gets_little) {
  for (const Balance balance : {Balance::least_in_flight, Balance::fastest}) {
    for (const auto& pace : {std::vector<Duration>{100ms, 1s}, {1s, 10s}, {10s, 100s}, {5ms, 50ms}}) {
      const auto got = shares_at_fifty_in_flight(balance, pace);
      EXPECT_LT(got[1], 0.2) << static_cast<int>(balance) << ", " << pace[0];
      EXPECT_GT(got[1], 0.0) << "it was asked at all";
    }
  }
}

TEST(Choose, equal_targets_share_evenly_under_every_balance) {
  for (const Balance balance : {Balance::weighted, Balance::least_in_flight, Balance::fastest}) {
    const auto got = shares_at_fifty_in_flight(balance, {100ms, 100ms, 100ms});
    const auto [least, most] = std::ranges::minmax_element(got);
    EXPECT_LT(*most / *least, 1.2) << static_cast<int>(balance);
  }
}

TEST(Choose, a_slow_target_gets_another_chance_when_time_has_passed) {
  Members members({1, 1});
  Instant now{1h};
  for (const auto& [member, took] : {std::pair<std::size_t, Duration>{0, 100ms}, {1, 5s}}) {
    auto slot = members.targets[member].live.state->take(members.targets[member], now);
    slot->answered(took, now, true);
  }
  EXPECT_EQ(choose(members.candidates, Balance::fastest, 0.9, now), 0U);
  // The quick one goes on being asked, the slow one is not.
  for (int i = 0; i < 100; ++i) {
    now += 1s;
    const std::size_t chosen = choose(members.candidates, Balance::fastest, 0.9, now);
    if (chosen == 1) {
      EXPECT_GT(i, 20);
      return;
    }
    auto slot = members.targets[0].live.state->take(members.targets[0], now);
    slot->answered(100ms, now, true);
  }
  FAIL() << "it never got another chance";
}

TEST(ChooseLeast, takes_the_least_and_shares_among_equals) {
  const std::vector<double> costs{3, 1, std::numeric_limits<double>::infinity(), 1};
  EXPECT_EQ(choose_least(costs, 0.0), 1U);
  EXPECT_EQ(choose_least(costs, 0.49), 1U);
  EXPECT_EQ(choose_least(costs, 0.5), 3U);
  EXPECT_EQ(choose_least(costs, 0.99), 3U);
  const std::vector<double> unknown(2, std::numeric_limits<double>::infinity());
  EXPECT_EQ(choose_least(unknown, 0.7), 1U) << "where nobody has a price they take turns";
}

TEST(ChooseFor, the_same_key_finds_the_same_member) {
  const Members members({1, 1, 1});
  std::vector<Candidate> turned{members.candidates[2], members.candidates[0], members.candidates[1]};
  for (int i = 0; i < 100; ++i) {
    const std::string key = fmt::format("user-{}", i);
    EXPECT_EQ(members.candidates[choose_for(members.candidates, key)].target, turned[choose_for(turned, key)].target);
  }
}

TEST(ChooseFor, shares_follow_the_weights_and_another_weight_moves_few) {
  Members members({9, 1});
  int first = 0;
  std::vector<std::size_t> before;
  for (int i = 0; i < 10'000; ++i) {
    before.push_back(choose_for(members.candidates, fmt::format("user-{}", i)));
    first += before.back() == 0 ? 1 : 0;
  }
  EXPECT_NEAR(first, 9000, 150);
  members.targets[1].weight = 3;  // from 10 % to 25 %
  int moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::size_t now = choose_for(members.candidates, fmt::format("user-{}", i));
    if (before[i] == 1) {
      EXPECT_EQ(now, 1U) << "who had the growing one keeps it";
    }
    moved += now != before[i] ? 1 : 0;
  }
  EXPECT_NEAR(moved, 1500, 200);
}

}  // namespace
}  // namespace weir::routing
