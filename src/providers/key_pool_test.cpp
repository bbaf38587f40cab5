#include "providers/key_pool.hpp"

#include <gtest/gtest.h>

#include <map>

namespace weir::providers {
namespace {

using namespace std::chrono_literals;
using llm::Cause;
using platform::Instant;
using routing::BreakerState;

constexpr Instant start{1h};

std::shared_ptr<KeyPool> pool(std::vector<KeyPool::KeyOptions> keys, KeyChoice choice = KeyChoice::round_robin) {
  return std::make_shared<KeyPool>("acme", std::move(keys), choice);
}
std::vector<KeyPool::KeyOptions> abc() {
  return {{.label = "a", .value = Secret("sk-a")},
          {.label = "b", .value = Secret("sk-b")},
          {.label = "c", .value = Secret("sk-c")}};
}
std::string labels(KeyPool& keys, int calls, Instant now = start, std::string_view model = "m") {
  std::string out;
  for (int i = 0; i < calls; ++i) {
    const auto lease = keys.take(model, {}, now);
    out += lease ? lease->label() : "-";
  }
  return out;
}
/// Takes that key and reports about it.
void report(KeyPool& keys, std::string_view label, std::optional<Cause> cause, Instant now,
            const RateLimits& limits = {}, std::string_view model = "m") {
  KeySet others;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    others.set(i, keys.label(i) != label);
  }
  auto lease = keys.take(model, others, now);
  if (!lease) {
    lease.emplace(*keys.take_anyway(model, others, now));
  }
  keys.report(*lease, model, cause, limits, now);
}

TEST(KeyPool, keys_take_turns) {
  EXPECT_EQ(labels(*pool(abc()), 7), "abcabca");
}

TEST(KeyPool, priority_takes_the_lowest_number_and_the_next_while_it_is_out) {
  auto keys = abc();
  keys[0].priority = 2;
  keys[1].priority = 1;
  keys[2].priority = 1;
  const auto made = pool(keys, KeyChoice::priority);
  EXPECT_EQ(labels(*made, 4), "bcbc");
  report(*made, "b", Cause::credential, start);
  EXPECT_EQ(labels(*made, 2), "cc");
  report(*made, "c", Cause::credential, start);
  EXPECT_EQ(labels(*made, 2), "aa");
}

TEST(KeyPool, least_used_counts_what_is_in_flight) {
  const auto made = pool(abc(), KeyChoice::least_used);
  const auto a = made->take("m", {}, start);
  auto b = made->take("m", {}, start);
  EXPECT_EQ(a->label() + b->label(), "ab");
  EXPECT_EQ(labels(*made, 2), "cc") << "given back at once, it has none in flight";
  const auto c = made->take("m", {}, start);
  EXPECT_EQ(c->label(), "c");
  b.reset();
  EXPECT_EQ(labels(*made, 2), "bb");
}

TEST(KeyPool, weighted_is_smooth_and_exact) {
  auto keys = abc();
  keys[0].weight = 5;
  const auto made = pool(keys, KeyChoice::weighted);
  EXPECT_EQ(labels(*made, 7), "aabacaa");
  std::map<char, int> counts;
  for (const char c : labels(*made, 7000)) {
    ++counts[c];
  }
  EXPECT_EQ(counts['a'], 5000);
  EXPECT_EQ(counts['b'], 1000);
}

TEST(KeyPool, a_refused_key_is_out_at_once_and_for_longer_each_time_in_a_row) {
  const auto made = pool(abc());
  report(*made, "b", Cause::credential, start);
  EXPECT_EQ(made->states(start)[1].breaker, BreakerState::open);
  EXPECT_EQ(labels(*made, 4), "acac");
  EXPECT_EQ(labels(*made, 2, start + 59s), "ac");
  EXPECT_EQ(made->states(start + 60s)[1].breaker, BreakerState::half_open);
  report(*made, "b", Cause::credential, start + 60s);
  EXPECT_EQ(labels(*made, 3, start + 179s).find('b'), std::string::npos) << "twice as long now";
  EXPECT_NE(labels(*made, 3, start + 180s).find('b'), std::string::npos);
  EXPECT_EQ(made->states(start)[1].trips, 2U);
  for (int trial = 0; trial < 3; ++trial) {
    EXPECT_EQ(made->states(start + 180s)[1].breaker, BreakerState::half_open);
    report(*made, "b", std::nullopt, start + 180s);
  }
  EXPECT_EQ(made->states(start + 180s)[1].breaker, BreakerState::closed);
  EXPECT_EQ(made->states(start + 180s)[1].last_error, std::nullopt);
  report(*made, "b", Cause::key_quota, start + 200s);
  EXPECT_EQ(labels(*made, 3, start + 259s).find('b'), std::string::npos);
  EXPECT_NE(labels(*made, 3, start + 260s).find('b'), std::string::npos) << "from the start again after successes";
}

TEST(KeyPool, the_time_that_a_key_is_out_has_a_bound) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}});
  Instant now = start;
  for (int i = 0; i < 40; ++i) {
    report(*made, "a", Cause::credential, now);
    const auto until = made->closed_until("m", now);
    ASSERT_TRUE(until);
    EXPECT_LE(*until - now, 10min);
    now = *until;
  }
  EXPECT_EQ(made->states(now)[0].trips, 40U);
}

TEST(KeyPool, half_open_a_few_calls_try_it_at_a_time) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}});
  made->set_breaker({.failure_threshold = 1, .recovery_timeout = 5s, .half_open_max_calls = 2});
  report(*made, "a", Cause::credential, start);
  EXPECT_FALSE(made->take("m", {}, start + 4999ms));
  const Instant later = start + 5s;
  auto first = made->take("m", {}, later);
  auto second = made->take("m", {}, later);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(made->take("m", {}, later));
  EXPECT_EQ(made->closed_until("m", later), platform::never) << "it comes back when they have succeeded";
  EXPECT_TRUE(made->serves(*first, "m", later)) << "a call that tries it may ask twice";
  EXPECT_FALSE(made->report(*first, "m", Cause::transport, {}, later));
  first.reset();
  EXPECT_TRUE(made->take("m", {}, later)) << "a trial that told nothing makes room for another";
  EXPECT_TRUE(made->report(*second, "m", Cause::credential, {}, later));
  EXPECT_EQ(made->closed_until("m", later), later + 10s);
}

TEST(KeyPool, a_call_that_began_before_it_went_out_moves_nothing) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}});
  auto one = made->take("m", {}, start);
  auto other = made->take("m", {}, start);
  auto third = made->take("m", {}, start);
  EXPECT_TRUE(made->report(*one, "m", Cause::credential, {}, start));
  EXPECT_FALSE(made->report(*other, "m", Cause::credential, {}, start + 30s));
  EXPECT_FALSE(made->report(*third, "m", std::nullopt, {}, start + 30s));
  EXPECT_EQ(made->closed_until("m", start + 30s), start + 60s);
}

TEST(KeyPool, who_has_nobody_else_to_ask_tries_it_early_and_that_may_close_it) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}});
  report(*made, "a", Cause::credential, start);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(made->states(start + 1s)[0].breaker, BreakerState::open);
    auto early = made->take_anyway("m", {}, start + 1s);
    ASSERT_TRUE(early);
    made->report(*early, "m", std::nullopt, {}, start + 1s);
  }
  EXPECT_EQ(made->states(start + 1s)[0].breaker, BreakerState::closed);
  report(*made, "a", Cause::credential, start + 2s);
  for (int i = 0; i < 10; ++i) {
    auto early = made->take_anyway("m", {}, start + 3s);
    ASSERT_TRUE(early) << "he is told by the provider himself";
    EXPECT_FALSE(made->report(*early, "m", Cause::credential, {}, start + 3s));
  }
  EXPECT_EQ(made->closed_until("m", start + 3s), start + 62s) << "and no failure moves the time";
}

TEST(KeyPool, rate_limits_without_a_time_open_it_when_they_are_as_many_as_the_threshold) {
  const auto made = pool(abc());
  made->set_breaker({.failure_threshold = 3, .recovery_timeout = 7s});
  report(*made, "a", Cause::rate, start);
  report(*made, "a", Cause::rate, start);
  report(*made, "a", std::nullopt, start);
  report(*made, "a", Cause::rate, start);
  report(*made, "a", Cause::rate, start);
  EXPECT_EQ(made->states(start)[0].breaker, BreakerState::closed) << "not in a row";
  EXPECT_EQ(made->states(start)[0].failures_in_a_row, 2);
  report(*made, "a", Cause::rate, start);
  EXPECT_EQ(made->states(start)[0].breaker, BreakerState::open);
  EXPECT_EQ(made->states(start)[0].out_until, start + 7s);
  for (int i = 0; i < 10; ++i) {
    report(*made, "b", Cause::rate, start + std::chrono::seconds(i), {.retry_after = 1s});
  }
  EXPECT_EQ(made->states(start)[1].breaker, BreakerState::closed) << "who says when to come back is believed";
}

TEST(KeyPool, by_hand_it_is_out_whatever_happens_until_it_is_closed) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}, {.label = "b", .value = Secret("sk-b")}});
  ASSERT_EQ(made->find("b"), std::optional<std::size_t>(1));
  EXPECT_FALSE(made->find("c"));
  made->open_by_hand(0);
  EXPECT_EQ(labels(*made, 3, start + 24h), "bbb");
  EXPECT_FALSE(made->is_shut_by_hand(start));
  made->open_by_hand(1, start + 1h);
  EXPECT_TRUE(made->is_shut_by_hand(start));
  EXPECT_FALSE(made->take("m", {}, start));
  EXPECT_FALSE(made->take_anyway("m", {}, start)) << "not even where nobody else is left";
  EXPECT_EQ(made->closed_until("m", start), start + 1h);
  made->renew(0, Secret("sk-new"));
  EXPECT_TRUE(made->states(start)[0].by_hand) << "another value is no word of the operator's";
  EXPECT_EQ(labels(*made, 1, start + 1h), "b");
  EXPECT_FALSE(made->states(start + 1h)[1].by_hand);
  made->close_by_hand(0);
  EXPECT_NE(labels(*made, 2).find('a'), std::string::npos);
}

TEST(KeyPool, another_pool_takes_over_what_is_known_of_the_same_keys) {
  const auto before = pool(abc());
  report(*before, "a", Cause::credential, start);
  report(*before, "b", Cause::rate, start, {.retry_after = 30s});
  before->open_by_hand(2);
  const auto running = before->take_anyway("m", {}, start);
  auto keys = abc();
  keys[2].value = Secret("sk-c-new");
  keys.push_back({.label = "d", .value = Secret("sk-d")});
  const auto after = pool(keys);
  after->adopt(*before);
  EXPECT_EQ(labels(*after, 4), "dddd");
  EXPECT_EQ(labels(*after, 1, start, "other"), "b");
  EXPECT_EQ(after->closed_until("m", start + 1s), std::nullopt);
  const auto states = after->states(start);
  EXPECT_EQ(states[0].last_error, Cause::credential);
  EXPECT_EQ(states[0].trips, 1U);
  EXPECT_EQ(states[0].in_flight, 0) << "its calls are the other pool's";
  EXPECT_TRUE(states[2].by_hand);
  auto other = abc();
  other[0].value = Secret("sk-a-new");
  const auto renewed = pool(other);
  renewed->adopt(*before);
  EXPECT_EQ(labels(*renewed, 1), "a") << "another value is another key";
}

TEST(KeyPool, what_is_not_the_keys_fault_leaves_it_in) {
  const auto made = pool(abc());
  for (const Cause cause :
       {Cause::callers_fault, Cause::overload, Cause::context_window, Cause::content_policy, Cause::unsupported,
        Cause::model_missing, Cause::transport, Cause::malformed, Cause::slow, Cause::gateway}) {
    report(*made, "a", cause, start);
    EXPECT_EQ(made->states(start)[0].failures, 0U) << llm::to_string(cause);
    EXPECT_FALSE(made->states(start)[0].out_until);
  }
}

TEST(KeyPool, a_key_rests_as_long_as_the_provider_said_for_that_model_alone) {
  const auto made = pool(abc());
  report(*made, "a", Cause::rate, start, {.retry_after = 30s});
  EXPECT_EQ(labels(*made, 4, start + 29s), "bcbc");
  EXPECT_NE(labels(*made, 3, start + 29s, "other").find('a'), std::string::npos);
  EXPECT_NE(labels(*made, 3, start + 30s).find('a'), std::string::npos);
}

TEST(KeyPool, a_key_whose_money_is_spent_is_out_as_long_as_the_provider_said_if_that_is_longer) {
  const auto made = pool(abc());
  report(*made, "a", Cause::key_quota, start, {.retry_after = 90s});
  report(*made, "b", Cause::key_quota, start, {.retry_after = 30s});
  EXPECT_EQ(labels(*made, 2, start + 59s), "cc");
  EXPECT_EQ(labels(*made, 4, start + 89s).find('a'), std::string::npos);
  EXPECT_NE(labels(*made, 4, start + 89s).find('b'), std::string::npos);
  EXPECT_NE(labels(*made, 4, start + 90s).find('a'), std::string::npos);
}

TEST(KeyPool, a_taken_key_serves_until_another_call_learns_that_it_does_not) {
  const auto made = pool(abc());
  const auto a = made->take("m", {}, start);
  const auto b = made->take("m", {}, start);
  const auto c = made->take("m", {}, start);
  EXPECT_TRUE(made->serves(*a, "m", start));
  report(*made, "a", Cause::credential, start);
  report(*made, "b", Cause::rate, start, {.retry_after = 5s});
  made->renew(2, Secret("sk-new"));
  EXPECT_FALSE(made->serves(*a, "m", start));
  EXPECT_FALSE(made->serves(*b, "m", start));
  EXPECT_TRUE(made->serves(*b, "other", start)) << "limits are counted by model";
  EXPECT_FALSE(made->serves(*c, "m", start)) << "the old value";
  EXPECT_TRUE(made->serves(*b, "m", start + 5s));
  KeySet others;
  others.set(1).set(2);
  const auto probe = made->take("m", others, start + 60s);
  EXPECT_TRUE(made->serves(*probe, "m", start + 60s)) << "the call that tries it may ask twice";
}

TEST(KeyPool, one_rate_limit_without_a_time_opens_nothing) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}});
  report(*made, "a", Cause::rate, start);
  EXPECT_TRUE(made->take("m", {}, start));
  EXPECT_EQ(made->states(start)[0].failures, 1U);
}

TEST(KeyPool, a_wait_of_a_day_is_not_believed_for_longer_than_ten_minutes) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}});
  report(*made, "a", Cause::rate, start, {.retry_after = 86400s});
  EXPECT_EQ(made->closed_until("m", start), start + 10min);
  EXPECT_TRUE(made->take("m", {}, start + 10min));
}

TEST(KeyPool, a_key_with_nothing_left_comes_last_but_comes) {
  const auto made = pool(abc());
  const RateLimits nothing_left{
      .retry_after = {}, .requests = {.remaining = 0, .reset = 60s}, .tokens = {.remaining = 5, .reset = 1s}};
  report(*made, "a", std::nullopt, start, nothing_left);
  report(*made, "b", std::nullopt, start, nothing_left);
  EXPECT_EQ(labels(*made, 3), "ccc");
  report(*made, "c", Cause::credential, start);
  EXPECT_EQ(labels(*made, 2), "ab");
  EXPECT_EQ(made->states(start)[0].requests_left, 0);
  EXPECT_NE(labels(*made, 3, start + 61s).find('a'), std::string::npos);
}

TEST(KeyPool, tells_when_the_first_key_is_usable_again) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}, {.label = "b", .value = Secret("sk-b")}});
  EXPECT_FALSE(made->closed_until("m", start));
  report(*made, "a", Cause::key_quota, start);
  EXPECT_FALSE(made->closed_until("m", start));
  report(*made, "b", Cause::rate, start, {.retry_after = 7s});
  EXPECT_EQ(made->closed_until("m", start), start + 7s);
  EXPECT_EQ(made->closed_until("other", start), std::nullopt);
  EXPECT_FALSE(made->take("m", {}, start));
  EXPECT_EQ(made->take_anyway("m", {}, start)->label(), "b") << "the one that comes back first";
}

TEST(KeyPool, gives_each_key_once_to_one_call) {
  const auto made = pool(abc());
  KeySet tried;
  std::string order;
  while (const auto lease = made->take("m", tried, start)) {
    order += lease->label();
    tried.set(lease->index());
  }
  EXPECT_EQ(order, "abc");
  EXPECT_FALSE(made->take_anyway("m", tried, start));
}

TEST(KeyPool, a_renewed_key_is_as_good_as_new_and_both_values_are_concealed) {
  const auto made = pool({{.label = "a", .value = Secret()}, {.label = "b", .value = Secret("sk-b")}});
  EXPECT_EQ(labels(*made, 2), "bb") << "a key that is not known yet is not used";
  made->renew(0, Secret("sk-old"));
  auto old = made->take("m", {}, start);
  EXPECT_EQ(old->value().reveal(), "sk-old");
  made->renew(0, Secret("sk-new"));
  made->report(*old, "m", Cause::credential, {}, start);
  EXPECT_FALSE(made->states(start)[0].out_until) << "the old value was refused, not the new one";
  std::string words = "no sk-old no sk-new no sk-b";
  made->conceal(words);
  EXPECT_EQ(words, "no [secret] no [secret] no [secret]");
}

TEST(KeyPool, remembers_a_bounded_number_of_models) {
  const auto made = pool({{.label = "a", .value = Secret("sk-a")}});
  for (int i = 0; i < 1000; ++i) {
    report(*made, "a", Cause::rate, start, {.retry_after = 60s}, "model-" + std::to_string(i));
  }
  EXPECT_LE(made->states(start)[0].resting.size(), 64U);
  EXPECT_TRUE(made->closed_until("model-999", start));
}

TEST(KeyPool, counts_what_is_in_flight_whatever_happens_to_the_lease) {
  const auto made = pool(abc());
  {
    auto lease = made->take("m", {}, start);
    const KeyPool::Lease moved = std::move(*lease);
    EXPECT_EQ(made->states(start)[0].in_flight, 1);
  }
  EXPECT_EQ(made->states(start)[0].in_flight, 0);
}

}  // namespace
}  // namespace weir::providers
