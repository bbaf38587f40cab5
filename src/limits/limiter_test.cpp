#include "limits/limiter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace weir::limits {
namespace {

using platform::Duration;
using platform::Instant;
using namespace std::chrono_literals;

constexpr Instant start{std::chrono::hours(100)};

WindowLimit requests(std::int64_t amount, Duration window) {
  return {.unit = Unit::requests, .amount = amount, .window = window};
}
WindowLimit tokens(std::int64_t amount, Duration window) {
  return {.unit = Unit::tokens, .amount = amount, .window = window};
}

TEST(Limiter, lets_exactly_as_many_through_as_the_limit_says) {
  Limiter limiter;
  const LimitSet set{.windows = {requests(100, 60s)}};
  const Scope scope{ScopeKind::address, "10.0.0.1", &set};
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    admitted += limiter.take({&scope, 1}, {}, start + Duration(i)).has_value() ? 1 : 0;
  }
  EXPECT_EQ(admitted, 100);
  const Scope other{ScopeKind::address, "10.0.0.2", &set};
  EXPECT_TRUE(limiter.take({&other, 1}, {}, start));
  const Scope same_text{ScopeKind::key, "10.0.0.1", &set};
  EXPECT_TRUE(limiter.take({&same_text, 1}, {}, start));
}

// For small limits (exact) and large ones (in slots), with amounts of one and of many.
TEST(Limiter, never_lets_more_through_in_any_span_and_tells_the_truth_about_the_wait) {
  std::mt19937_64 random(3);
  for (const std::int64_t amount : {1, 7, 100, 256, 257, 5000}) {
    for (const bool many : {false, true}) {
      Limiter limiter;
      const LimitSet set{.windows = {many ? tokens(amount, 60s) : requests(amount, 60s)}};
      const Scope scope{ScopeKind::key, "k", &set};
      std::vector<std::pair<Instant, std::int64_t>> admitted;
      Instant now = start;
      int refused = 0;
      for (int i = 0; i < 20'000; ++i) {
        now += Duration(static_cast<std::int64_t>(
            random() % 3 == 0 ? 0 : random() % 100'000'000'000 / static_cast<std::uint64_t>(amount)));
        const std::int64_t asked =
            many ? 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(amount)) : 1;
        const Limiter::Ask ask{.requests = many ? 0 : 1, .tokens = many ? asked : 0, .in_flight = 0};
        auto ticket = limiter.take({&scope, 1}, ask, now);
        if (!ticket) {
          ++refused;
          ASSERT_TRUE(ticket.error().retry_after);
          ASSERT_GT(*ticket.error().retry_after, Duration{});
          ASSERT_LE(*ticket.error().retry_after, Duration(60s));
          // One moment earlier is too early, that moment is not.
          if (random() % 50 == 0) {
            const Duration wait = *ticket.error().retry_after;
            ASSERT_FALSE(limiter.take({&scope, 1}, ask, now + wait - Duration(1)));
            now += wait;
            ASSERT_TRUE(limiter.take({&scope, 1}, ask, now));
            admitted.emplace_back(now, asked);
          }
          continue;
        }
        admitted.emplace_back(now, asked);
      }
      ASSERT_GT(refused, 10);
      ASSERT_GT(admitted.size(), 100U);
      std::int64_t sum = 0;
      std::size_t first = 0;
      for (const auto& [at, taken] : admitted) {
        sum += taken;
        while (admitted[first].first + 60s <= at) {
          sum -= admitted[first++].second;
        }
        ASSERT_LE(sum, amount);
      }
    }
  }
}

TEST(Limiter, a_refusal_changes_no_counter_in_any_scope) {
  Limiter limiter;
  const LimitSet wide{.windows = {requests(1000, 60s), tokens(100'000, 60s)}, .in_flight = 500};
  const LimitSet narrow{.windows = {requests(5, 60s)}};
  const std::array scopes = {Scope{ScopeKind::tenant, "t", &wide}, Scope{ScopeKind::key, "k", &narrow}};
  const Limiter::Ask ask{.tokens = 10};
  std::vector<Limiter::Ticket> running;
  for (int i = 0; i < 5; ++i) {
    auto ticket = limiter.take(scopes, ask, start);
    ASSERT_TRUE(ticket);
    running.push_back(std::move(*ticket));
  }
  for (int i = 0; i < 20'000; ++i) {
    auto refused = limiter.take(scopes, ask, start + std::chrono::milliseconds(i));
    ASSERT_FALSE(refused);
    ASSERT_EQ(refused.error().scope, ScopeKind::key);
  }
  EXPECT_EQ(limiter.in_flight(), 10);  // five calls in two scopes
  auto tenant = limiter.take({scopes.data(), 1}, ask, start + 20s);
  ASSERT_TRUE(tenant);
  EXPECT_EQ(tenant->standing(Unit::requests)->remaining, 1000 - 6);
  EXPECT_EQ(tenant->standing(Unit::tokens)->remaining, 100'000 - 60);
  running.clear();
  tenant->release();
  EXPECT_EQ(limiter.in_flight(), 0);
}

TEST(Limiter, counts_calls_in_flight_until_their_ticket_goes) {
  Limiter limiter;
  const LimitSet set{.in_flight = 2};
  const Scope scope{ScopeKind::key, "k", &set};
  auto first = limiter.take({&scope, 1}, {}, start);
  auto second = limiter.take({&scope, 1}, {}, start);
  ASSERT_TRUE(first && second);
  const auto third = limiter.take({&scope, 1}, {}, start);
  ASSERT_FALSE(third);
  EXPECT_FALSE(third.error().window);
  EXPECT_EQ(third.error().in_flight_limit, 2);
  EXPECT_EQ(third.error().retry_after, Duration(1s));
  {
    const Limiter::Ticket moved = std::move(*first);
    EXPECT_EQ(limiter.in_flight(), 2);
  }
  EXPECT_EQ(limiter.in_flight(), 1);
  EXPECT_TRUE(limiter.take({&scope, 1}, {}, start));
}

TEST(Limiter, gives_back_what_another_part_of_the_gateway_refused) {
  Limiter limiter;
  for (const std::int64_t amount : {3, 3000}) {
    const LimitSet set{.windows = {tokens(amount, 60s)}};
    const Scope scope{ScopeKind::key, amount == 3 ? "small" : "large", &set};
    const auto ask = [&](std::int64_t wanted) { return Limiter::Ask{.requests = 0, .tokens = wanted, .in_flight = 0}; };
    ASSERT_TRUE(limiter.take({&scope, 1}, ask(amount / 3), start));
    auto ticket = limiter.take({&scope, 1}, ask(amount / 3 * 2), start + 1ms);
    ASSERT_TRUE(ticket);
    ASSERT_FALSE(limiter.take({&scope, 1}, ask(1), start + 2ms));
    ticket->give_back();
    ASSERT_TRUE(limiter.take({&scope, 1}, ask(amount / 3 * 2), start + 3ms));
    ASSERT_FALSE(limiter.take({&scope, 1}, ask(1), start + 4ms));
  }
}

TEST(Limiter, takes_nothing_where_what_is_decided_with_it_refuses) {
  struct Other final : Limiter::Also {
    bool grants = false;
    int asked = 0;
    bool take() override {
      ++asked;
      return grants;
    }
  };
  Limiter limiter;
  const LimitSet set{.windows = {requests(1, 60s)}, .in_flight = 1};
  const Scope scope{ScopeKind::key, "k", &set};
  Other other;
  for (int i = 0; i < 5; ++i) {
    const auto refused = limiter.take({&scope, 1}, {}, start, &other);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().elsewhere);
  }
  EXPECT_EQ(limiter.in_flight(), 0);
  other.grants = true;
  EXPECT_TRUE(limiter.take({&scope, 1}, {}, start, &other));
  EXPECT_EQ(other.asked, 6);
  EXPECT_FALSE(limiter.take({&scope, 1}, {}, start + 1s, &other));
  EXPECT_EQ(other.asked, 6);  // a limit refused before
  EXPECT_TRUE(limiter.take({}, {}, start, &other));
}

TEST(Limiter, takes_tokens_for_each_attempt_of_a_call_that_it_admitted) {
  struct Never final : Limiter::Also {
    bool take() override { return false; }
  };
  Limiter limiter;
  const LimitSet set{.windows = {requests(2, 60s), tokens(100, 60s)}, .in_flight = 1};
  const Scope scope{ScopeKind::key, "k", &set};
  auto ticket = limiter.take({&scope, 1}, {}, start);
  ASSERT_TRUE(ticket);
  EXPECT_FALSE(limiter.take_tokens(*ticket, 60, start));
  EXPECT_EQ(ticket->standing(Unit::tokens)->remaining, 40);
  EXPECT_EQ(ticket->standing(Unit::requests)->remaining, 1);  // it was counted before
  EXPECT_EQ(limiter.in_flight(), 1);
  ticket->settle_tokens(10, start + 1s);

  const auto too_much = limiter.take_tokens(*ticket, 91, start + 2s);
  ASSERT_TRUE(too_much);
  EXPECT_EQ(too_much->scope, ScopeKind::key);
  EXPECT_EQ(too_much->window->unit, Unit::tokens);
  EXPECT_EQ(too_much->retry_after, 58s);
  Never never;
  const auto elsewhere = limiter.take_tokens(*ticket, 90, start + 2s, &never);
  ASSERT_TRUE(elsewhere);
  EXPECT_TRUE(elsewhere->elsewhere);
  EXPECT_FALSE(limiter.take_tokens(*ticket, 90, start + 2s));
  EXPECT_EQ(ticket->standing(Unit::tokens)->remaining, 0);
  ticket->settle_tokens(0, start + 3s);

  // Of an attempt that was to use none, all that it used is more.
  EXPECT_FALSE(limiter.take_tokens(*ticket, 0, start + 4s));
  ticket->settle_tokens(30, start + 5s);
  EXPECT_FALSE(limiter.take_tokens(*ticket, 60, start + 6s));
  EXPECT_EQ(ticket->standing(Unit::tokens)->remaining, 0);
  ticket->release();
  EXPECT_EQ(limiter.in_flight(), 0);
}

TEST(Limiter, settles_the_tokens_that_were_only_estimated) {
  Limiter limiter;
  const LimitSet set{.windows = {tokens(1000, 60s)}};
  const Scope scope{ScopeKind::key, "k", &set};
  const auto left = [&](Instant now) {
    auto probe = limiter.take({&scope, 1}, {.requests = 0, .tokens = 1, .in_flight = 0}, now);
    if (!probe) {
      return std::int64_t{0};
    }
    const std::int64_t remaining = probe->standing(Unit::tokens)->remaining + 1;
    probe->give_back();
    return remaining;
  };
  auto less = limiter.take({&scope, 1}, {.tokens = 800}, start);
  ASSERT_TRUE(less);
  EXPECT_EQ(left(start), 200);
  less->settle_tokens(100, start + 1s);
  EXPECT_EQ(left(start + 1s), 900);
  auto more = limiter.take({&scope, 1}, {.tokens = 100}, start + 2s);
  ASSERT_TRUE(more);
  more->settle_tokens(850, start + 30s);
  EXPECT_EQ(left(start + 30s), 50);
  EXPECT_EQ(left(start + 62s), 250);  // both estimates are over, what was more counts from when it was known
  EXPECT_EQ(left(start + 90s), 1000);
  const auto too_large = limiter.take({&scope, 1}, {.tokens = 1001}, start + 90s);
  ASSERT_FALSE(too_large);
  EXPECT_FALSE(too_large.error().retry_after);
}

TEST(Limiter, refuses_by_the_limit_with_the_longest_wait) {
  Limiter limiter;
  const LimitSet set{.windows = {requests(1, 1s), requests(2, 1h)}};
  const Scope scope{ScopeKind::key, "k", &set};
  ASSERT_TRUE(limiter.take({&scope, 1}, {}, start));
  const auto second = limiter.take({&scope, 1}, {}, start + 500ms);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().retry_after, Duration(500ms));
  ASSERT_TRUE(limiter.take({&scope, 1}, {}, start + 1s));
  const auto third = limiter.take({&scope, 1}, {}, start + 1s);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().window, requests(2, 1h));
  EXPECT_EQ(third.error().retry_after, Duration(1h) - Duration(1s));
}

TEST(Limiter, follows_a_limit_that_changes) {
  Limiter limiter;
  const LimitSet before{.windows = {requests(2, 60s)}};
  const LimitSet after{.windows = {requests(5, 60s), requests(3, 1s)}, .in_flight = 9};
  const Scope old_scope{ScopeKind::key, "k", &before};
  const Scope new_scope{ScopeKind::key, "k", &after};
  ASSERT_TRUE(limiter.take({&old_scope, 1}, {}, start));
  ASSERT_TRUE(limiter.take({&old_scope, 1}, {}, start));
  ASSERT_FALSE(limiter.take({&old_scope, 1}, {}, start));
  int admitted = 0;
  for (int i = 0; i < 10; ++i) {
    admitted += limiter.take({&new_scope, 1}, {}, start + std::chrono::seconds(i + 1)).has_value() ? 1 : 0;
  }
  EXPECT_EQ(admitted, 3);  // what was counted before counts on
}

TEST(Limiter, remembers_a_bounded_number_of_scopes_and_forgets_idle_ones) {
  Limiter limiter({.scopes_max = 1600});
  const LimitSet set{.windows = {requests(2, 60s)}};
  int refused = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string id = std::to_string(i);
    const Scope scope{ScopeKind::address, id, &set};
    refused += limiter.take({&scope, 1}, {}, start).has_value() ? 0 : 1;
  }
  EXPECT_LE(limiter.scopes(), 1700U);
  EXPECT_GT(refused, 40'000);  // those for whom there was no place share one
  // A minute later they are gone, and new ones have their own place again.
  for (int i = 0; i < 50'000; ++i) {
    const std::string id = "later " + std::to_string(i);
    const Scope scope{ScopeKind::address, id, &set};
    static_cast<void>(limiter.take({&scope, 1}, {}, start + 61s + std::chrono::milliseconds(i * 100)));
  }
  EXPECT_LE(limiter.scopes(), 1700U);
  const Scope fresh{ScopeKind::address, "fresh", &set};
  EXPECT_TRUE(limiter.take({&fresh, 1}, {}, start + 6000s));
  EXPECT_TRUE(limiter.take({&fresh, 1}, {}, start + 6000s));
  EXPECT_FALSE(limiter.take({&fresh, 1}, {}, start + 6000s));
  EXPECT_EQ(limiter.in_flight(), 0);
}

TEST(Limiter, holds_among_threads) {
  Limiter limiter;
  const LimitSet key{.windows = {requests(1000, 1h)}};
  const LimitSet tenant{.windows = {requests(1500, 1h)}, .in_flight = 1000};
  std::atomic<int> admitted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string id = t % 2 == 0 ? "even" : "odd";
      const std::array scopes = {Scope{ScopeKind::key, id, &key}, Scope{ScopeKind::tenant, "t", &tenant},
                                 Scope{ScopeKind::address, "10.0.0.1", &tenant}};
      for (int i = 0; i < 2000; ++i) {
        const auto ticket = limiter.take(scopes, {}, start + Duration(i));
        admitted += ticket.has_value() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(admitted, 1500);
  EXPECT_EQ(limiter.in_flight(), 0);
}

TEST(Limiter, needs_no_memory_where_nothing_is_limited) {
  Limiter limiter;
  const LimitSet none;
  const std::array scopes = {Scope{ScopeKind::key, "k", &none}, Scope{ScopeKind::tenant, "t", nullptr}};
  EXPECT_TRUE(limiter.take(scopes, {}, start));
  EXPECT_EQ(limiter.scopes(), 0U);
}

TEST(Limit, is_told_in_words) {
  EXPECT_EQ(to_text(requests(100, 60s)), "100 requests per 60 s");
  EXPECT_EQ(to_text(tokens(5, 1500ms)), "5 tokens per 1500 ms");
}

}  // namespace
}  // namespace weir::limits
