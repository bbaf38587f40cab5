#include "routing/target_state.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace weir::routing {
namespace {

using namespace std::chrono_literals;
using platform::Instant;
using Outcome = CircuitBreaker::Outcome;
using Why = Refused::Why;

class TargetStateTest : public testing::Test {
 protected:
  std::shared_ptr<ProviderLoad> load = std::make_shared<ProviderLoad>("p");
  TargetState state{"p/m", load};
  TargetState sibling{"p/n", load};
  Target target{.provider = "p", .model = "m", .breaker = {.failure_threshold = 2, .recovery_timeout = 10s}};
  Instant now{1h};

  void fail_until_open() {
    for (int i = 0; i < target.breaker.failure_threshold; ++i) {
      auto slot = state.take(target, now);
      ASSERT_TRUE(slot);
      EXPECT_EQ(slot->end(Outcome::failure, now), i + 1 == target.breaker.failure_threshold);
    }
  }
};

TEST_F(TargetStateTest, counts_the_calls_in_flight) {
  {
    const auto one = state.take(target, now);
    auto two = state.take(target, now);
    EXPECT_EQ(state.in_flight(), 2);
    Slot moved = *std::move(two);
    EXPECT_EQ(state.in_flight(), 2);
    moved.end(Outcome::success, now);
    moved.end(Outcome::success, now);
    EXPECT_EQ(state.in_flight(), 1);
  }
  EXPECT_EQ(state.in_flight(), 0);
}

TEST_F(TargetStateTest, a_full_target_or_provider_takes_no_call_and_keeps_no_count_of_it) {
  target.max_in_flight = 1;
  auto one = state.take(target, now);
  auto refused = state.take(target, now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Why::target_full);
  EXPECT_EQ(state.in_flight(), 1);
  one->end(Outcome::nothing, now);

  target.max_in_flight = 0;
  target.provider_max_in_flight = 2;
  auto here = state.take(target, now);
  auto there = sibling.take(target, now);
  refused = state.take(target, now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Why::provider_full);
  EXPECT_EQ(state.in_flight(), 1);
  EXPECT_EQ(load->in_flight.load(), 2);
  there->end(Outcome::success, now);
  EXPECT_TRUE(state.take(target, now));
}

TEST_F(TargetStateTest, a_limit_holds_over_threads) {
  target.max_in_flight = 5;
  std::atomic<int> most = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 5000; ++i) {
          std::vector<Slot> slots;
          for (int j = 0; j < 3; ++j) {
            if (auto slot = state.take(target, now)) {
              slots.push_back(*std::move(slot));
            }
          }
          int seen = state.in_flight();
          int before = most.load();
          while (before < seen && !most.compare_exchange_weak(before, seen)) {
          }
        }
      });
    }
  }
  EXPECT_LE(most.load(), 5);
  EXPECT_EQ(state.in_flight(), 0);
}

TEST_F(TargetStateTest, an_open_breaker_says_until_when) {
  fail_until_open();
  const auto refused = state.take(target, now + 1s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Why::breaker_open);
  EXPECT_EQ(refused.error().until, now + 10s);
  EXPECT_EQ(state.report(now).breaker, BreakerState::open);
  EXPECT_EQ(state.report(now + 10s).breaker, BreakerState::half_open);
}

TEST_F(TargetStateTest, a_success_after_a_failure_is_not_overlooked) {
  state.take(target, now)->end(Outcome::failure, now);
  state.take(target, now)->end(Outcome::success, now);
  state.take(target, now)->end(Outcome::failure, now);
  EXPECT_EQ(state.report(now).breaker, BreakerState::closed);
}

TEST_F(TargetStateTest, a_trial_succeeds_with_the_first_content_and_a_break_behind_it_is_a_failure) {
  fail_until_open();
  now += 10s;
  std::vector<Slot> slots;
  for (int i = 0; i < 3; ++i) {
    slots.push_back(*state.take(target, now));
    EXPECT_TRUE(slots.back().trial());
    slots.back().answered(1s, now, false);
  }
  EXPECT_EQ(state.report(now).breaker, BreakerState::closed) << "long answers do not keep it half-open";
  EXPECT_FALSE(slots[0].end(Outcome::failure, now));
  EXPECT_EQ(state.report(now).failures_in_a_row, 1);
}

TEST_F(TargetStateTest, a_trial_whose_slot_is_dropped_or_finds_no_room_gives_its_place_back) {
  fail_until_open();
  now += 10s;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(state.take(target, now));
  }
  target.provider_max_in_flight = 1;
  auto blocks = sibling.take(target, now);
  for (int i = 0; i < 10; ++i) {
    const auto refused = state.take(target, now);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().why, Why::provider_full);
  }
  blocks->end(Outcome::nothing, now);
  EXPECT_TRUE(state.take(target, now));
}

TEST_F(TargetStateTest, by_hand) {
  state.open_by_hand();
  const auto refused = state.take(target, now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Why::opened_by_hand);
  EXPECT_FALSE(state.take(target, now, TargetState::Trial::early));
  EXPECT_TRUE(state.report(now).by_hand);
  state.close_by_hand();
  EXPECT_TRUE(state.take(target, now));
}

ModelTable table_with(std::vector<std::string> providers) {
  ModelTable table;
  ModelPolicy policy{.name = "smart"};
  for (std::string& provider : providers) {
    table.forwards.push_back({.provider = provider});
    policy.steps.push_back({.any_of = {{.provider = std::move(provider), .model = "m"}}});
  }
  table.exact.emplace("smart", policy);
  return table;
}

TEST(TargetStates, a_reload_keeps_what_is_known_unless_the_provider_moved) {
  TargetStates states;
  ModelTable first = table_with({"a", "b"});
  states.bind(first, {{"a", "here"}, {"b", "here"}});
  states.find("a/m")->open_by_hand();
  states.find("b/m")->open_by_hand();
  ModelTable second = table_with({"a", "b"});
  states.bind(second, {{"a", "here"}, {"b", "there"}});
  EXPECT_TRUE(states.find("a/m")->report({}).by_hand);
  EXPECT_FALSE(states.find("b/m")->report({}).by_hand);
  EXPECT_EQ(first, second) << "what is shared is no part of the configuration";
  EXPECT_EQ(states.all().size(), 4U) << "two models, and two of any name";
}

TEST(TargetStates, what_no_table_names_is_forgotten) {
  TargetStates states;
  {
    ModelTable table = table_with({"a"});
    states.bind(table, {});
    EXPECT_NE(states.find("a/*"), nullptr);
  }
  EXPECT_EQ(states.find("a/m"), nullptr);
  EXPECT_TRUE(states.all().empty());
}

}  // namespace
}  // namespace weir::routing
