// Who is left alone, and who is full.
#include "gateway/test_exchange.hpp"

namespace weir::gateway {
namespace {

/// Many calls after each other; both targets have their state.
class TargetStateExchangeTest : public ExchangeTest {
 protected:
  void use(routing::BreakerOptions breaker, int max_in_flight = 0) {
    auto snapshot = std::make_shared<Snapshot>(Snapshot{.models = {}, .providers = providers_});
    for (const std::vector<std::string>& names : {std::vector<std::string>{"a", "b"}, {"a"}}) {
      routing::ModelPolicy policy{.name = names.size() == 2 ? "smart" : "only-a", .timeouts = {}, .retry = once()};
      for (const std::string& name : names) {
        policy.steps.push_back({.any_of = {{.provider = name,
                                            .model = name + "-model",
                                            .retry = once(),
                                            .breaker = breaker,
                                            .max_in_flight = max_in_flight}}});
      }
      snapshot->models.exact.emplace(policy.name, policy);
    }
    states_.bind(snapshot->models, {});
    core_.snapshot = std::move(snapshot);
  }
  /// A call of its own.
  void again(std::string_view model = "smart") {
    log_.records.clear();
    sink_.emplace(loop_);
    a_->asked_at.clear();
    b_->asked_at.clear();
    run("", model, false);
  }
  [[nodiscard]] bool a_was_asked() const { return !a_->asked_at.empty(); }
  void make_ill(int calls) {
    for (int i = 0; i < calls; ++i) {
      a_->scripts.push_back(whole(503, R"({"error":{"message":"down"}})"));
      b_->scripts.push_back(whole(200, reply_body));
      again();
      ASSERT_EQ(sink_->status, 200);
    }
  }

  routing::TargetStates states_;
};

TEST_F(TargetStateExchangeTest, who_failed_too_often_is_passed_over_and_the_record_says_so) {
  use({.failure_threshold = 2, .recovery_timeout = 10s});
  make_ill(2);
  b_->scripts.push_back(whole(200, reply_body));
  again();
  EXPECT_EQ(sink_->status, 200);
  EXPECT_FALSE(a_was_asked());
  ASSERT_EQ(record().skipped.size(), 1U);
  EXPECT_EQ(record().skipped[0], "a/a-model: its circuit breaker is open for another 10.0 s");
}

TEST_F(TargetStateExchangeTest, a_callers_fault_or_a_refused_key_trips_nothing) {
  use({.failure_threshold = 2, .recovery_timeout = 10s});
  for (const int status : {400, 400, 422, 401, 429, 404}) {
    a_->scripts.push_back(whole(status, R"({"error":{"message":"no"}})"));
    b_->scripts.push_back(whole(200, reply_body));
    again();
    b_->scripts.clear();
    EXPECT_TRUE(a_was_asked()) << status;
  }
  EXPECT_EQ(states_.find("a/a-model")->report(loop_.now()).failures_in_a_row, 0);
}

TEST_F(TargetStateExchangeTest, who_is_alone_gets_few_early_trials_and_then_the_caller_hears_when_to_come_back) {
  use({.failure_threshold = 2, .recovery_timeout = 10s, .half_open_max_calls = 3});
  make_ill(2);
  for (int i = 0; i < 3; ++i) {
    a_->scripts.push_back(whole(503, R"({"error":{"message":"down"}})"));
    again("only-a");
    EXPECT_TRUE(a_was_asked());
    EXPECT_TRUE(record().attempts.at(0).trial);
    EXPECT_EQ(sink_->status, 503);
  }
  after(2500ms, [] {});
  world_.run_until([&] { return loop_.now() >= began_ + 2500ms; }, world_.now() + 1h);
  again("only-a");
  EXPECT_FALSE(a_was_asked());
  EXPECT_EQ(sink_->status, 503);
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors[0].code, Code::upstream_unavailable);
  EXPECT_EQ(sink_->retry_after, 8) << "seconds, rounded up";
}

TEST_F(TargetStateExchangeTest, an_early_trial_that_succeeds_is_the_callers_answer) {
  use({.failure_threshold = 2, .recovery_timeout = 10s, .half_open_max_calls = 1});
  make_ill(2);
  a_->scripts.push_back(whole(200, reply_body));
  again("only-a");
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(states_.find("a/a-model")->report(loop_.now()).breaker, routing::BreakerState::closed);
}

TEST_F(TargetStateExchangeTest, a_trial_that_goes_on_with_anothers_answer_has_succeeded_with_its_first_content) {
  use({.failure_threshold = 2, .recovery_timeout = 10s, .half_open_max_calls = 1});
  make_ill(2);
  const Instant half_open = world_.now() + 10s;
  after(10s, [] {});
  world_.run_until([&] { return loop_.now() >= half_open; }, world_.now() + 1h);
  auto models = core_.snapshot->models;
  std::swap(models.exact.at("smart").steps[0], models.exact.at("smart").steps[1]);
  core_.snapshot = std::make_shared<Snapshot>(Snapshot{.models = models, .providers = providers_});
  const std::string more = chunk(R"({"index":0,"delta":{"content":" world"},"finish_reason":null})");
  b_->scripts = {stream_of({role, hello})};
  a_->scripts = {stream_of({role, hello, more})};  // it breaks off too, which is a failure like any other
  log_.records.clear();
  sink_.emplace(loop_);
  a_->asked_at.clear();
  b_->asked_at.clear();
  run();
  ASSERT_EQ(record().attempts.size(), 2U);
  EXPECT_TRUE(record().attempts[1].trial);
  EXPECT_EQ(record().recovered_from, "b/b-model");
  EXPECT_EQ(states_.find("a/a-model")->report(loop_.now()).breaker, routing::BreakerState::closed);
}

TEST_F(TargetStateExchangeTest, a_breaker_that_opens_ends_the_repeats_on_its_target) {
  use({.failure_threshold = 2, .recovery_timeout = 10s});
  auto models = core_.snapshot->models;
  models.exact.at("smart").steps[0].any_of[0].retry = {.attempts = 5};
  core_.snapshot = std::make_shared<Snapshot>(Snapshot{.models = models, .providers = providers_});
  a_->scripts = {whole(503, "{}"), whole(503, "{}")};
  b_->scripts.push_back(whole(200, reply_body));
  run("", "smart", false);
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(a_->asked_at.size(), 2U);
}

TEST_F(TargetStateExchangeTest, a_full_target_is_passed_over_and_its_place_comes_back) {
  use({}, 1);
  auto state = states_.find("a/a-model");
  const routing::Target& target = core_.snapshot->models.exact.at("smart").steps[0].any_of[0];
  {
    const auto elsewhere = state->take(target, loop_.now());
    b_->scripts.push_back(whole(200, reply_body));
    again();
    EXPECT_FALSE(a_was_asked());
    EXPECT_EQ(record().skipped.at(0), "a/a-model: it has as many calls in flight as max_in_flight allows");
    again("only-a");
    EXPECT_EQ(sink_->status, 429);
    EXPECT_EQ(sink_->errors.at(0).code, Code::queue_full);
    EXPECT_EQ(sink_->retry_after, 1);
  }
  a_->scripts.push_back(whole(200, reply_body));
  again("only-a");
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(state->in_flight(), 0);
}

TEST_F(TargetStateExchangeTest, a_caller_who_leaves_gives_the_place_back_and_blames_nobody) {
  use({.failure_threshold = 1}, 1);
  a_->scripts.push_back({.head_after = 1h});
  start("", "only-a", false);
  after(1s, [&] {
    EXPECT_EQ(states_.find("a/a-model")->in_flight(), 1);
    caller_leaves();
  });
  finish();
  const auto report = states_.find("a/a-model")->report(loop_.now());
  EXPECT_EQ(report.in_flight, 0);
  EXPECT_EQ(report.breaker, routing::BreakerState::closed);
}

TEST_F(TargetStateExchangeTest, a_failure_says_when_the_first_of_the_targets_is_back) {
  use({.failure_threshold = 100});
  const auto busy = [](std::string name, std::string value) {
    Scripted scripted = whole(429, R"({"error":{"message":"busy","type":"requests","code":"rate_limit_exceeded"}})");
    if (!name.empty()) {
      scripted.headers.emplace_back(std::move(name), std::move(value));
    }
    return scripted;
  };
  const auto told = [&](std::string_view name) {
    std::string all;
    for (const auto& [key, value] : sink_->headers) {
      all += http::iequals(key, name) ? value + ";" : "";
    }
    return all;
  };
  a_->scripts.push_back(busy("retry-after", "7"));
  b_->scripts.push_back(busy("retry-after", "30"));
  again();
  EXPECT_EQ(sink_->status, 429);
  EXPECT_EQ(told("retry-after"), "7;") << "the first one is back before the last";
  a_->scripts.push_back(busy("retry-after", "30"));
  b_->scripts.push_back(busy("retry-after", "7"));
  again();
  EXPECT_EQ(told("retry-after"), "7;");
  for (const char* none : {"", "x-other"}) {
    a_->scripts.push_back(busy("retry-after", "30"));
    b_->scripts.push_back(busy(none, "1"));
    again();
    EXPECT_EQ(told("retry-after"), "1;") << "nobody knows it better";
  }
  a_->scripts.push_back(busy("retry-after-ms", "1500"));
  again("only-a");
  EXPECT_EQ(told("retry-after"), "2;");
  EXPECT_EQ(told("retry-after-ms"), "1500;");
}

TEST_F(TargetStateExchangeTest, a_flapping_provider_is_never_seen_by_callers_with_a_second_target) {
  const routing::BreakerOptions breaker{.failure_threshold = 5, .recovery_timeout = 5s, .half_open_max_calls = 3};
  use(breaker);
  const Instant begin = loop_.now();
  const auto bad = [&] { return ((loop_.now() - begin) / 10s) % 2 == 0 && loop_.now() - begin < 120s; };
  int ill_calls = 0;
  int trials_in_period = 0;
  std::optional<Instant> back;
  const auto state = states_.find("a/a-model");
  std::uint64_t trips = 0;
  while (loop_.now() - begin < 140s) {
    a_->scripts.assign(1, bad() ? Scripted{.refused = Code::reset} : whole(200, reply_body));
    b_->scripts.assign(1, whole(200, reply_body));
    const auto before = state->report(loop_.now());
    if (before.trips != trips) {
      trips = before.trips;
      trials_in_period = 0;
    }
    again();
    ASSERT_EQ(sink_->status, 200) << "no caller sees it";
    if (a_was_asked() && before.breaker != routing::BreakerState::closed) {
      ASSERT_LE(++trials_in_period, breaker.half_open_max_calls);
    }
    ill_calls += a_was_asked() && bad() ? 1 : 0;
    if (loop_.now() - begin >= 120s && !back && a_was_asked() && before.breaker == routing::BreakerState::closed) {
      back = loop_.now();
    }
    const Instant next = loop_.now() + 50ms;
    after(50ms, [] {});
    world_.run_until([&] { return loop_.now() >= next; }, world_.now() + 1h);
  }
  EXPECT_GE(trips, 6U);
  EXPECT_LE(ill_calls, 60) << "of some 1,200 calls while it was ill";
  ASSERT_TRUE(back) << "traffic never came back";
  EXPECT_LE(*back - begin, 120s + breaker.recovery_timeout + 500ms);
}

}  // namespace
}  // namespace weir::gateway
