// What is tried, who leaves, what fails; what the record says.
#include "gateway/test_exchange.hpp"

namespace weir::gateway {
namespace {

// Who watches.

TEST_F(ExchangeTest, who_watches_sees_every_step_when_it_happens_and_the_whole_record_at_the_end) {
  std::atomic<std::uint64_t> lost = 0;
  const auto watcher = std::make_shared<ledger::LiveWatcher>(loop_, lost);
  core_.live.attach(watcher, loop_.now());
  Scripted second = stream_of({role, hello, stop, done});
  second.connects = true;
  second.pieces[2].after = 300ms;
  a_->scripts = {{.refused = Code::refused}};
  b_->scripts = {second};
  use(once());
  start();
  std::vector<ledger::LiveEvent> events;
  after(20ms, [&] {
    watcher->take(events);
    EXPECT_FALSE(running_->done());
    EXPECT_NE(events.back()->find(R"("step":"first_content")"), std::string::npos) << "told while the call runs";
  });
  finish();
  watcher->take(events);
  std::string steps;
  for (const ledger::LiveEvent& event : events) {
    const std::size_t at = event->find(R"("step":")") + 8;
    steps += event->substr(at, event->find('"', at) - at) + " ";
  }
  EXPECT_EQ(
      steps,
      "began attempt_began attempt_ended attempt_began connected answered progress first_content progress ended ");
  EXPECT_NE(events.back()->find(ledger::to_json(record())), std::string::npos);
  core_.live.detach(*watcher);
}

// What is tried.

TEST_F(ExchangeTest, every_failure_before_content_falls_back_to_the_next_target) {
  const std::vector<std::pair<std::string, Scripted>> failures = {
      {"refused", {.refused = Code::refused}},
      {"unreachable", {.refused = Code::unreachable}},
      {"reset", {.refused = Code::reset}},
      {"closed", {.refused = Code::end_of_stream}},
      {"malformed head", {.refused = Code::upstream_malformed}},
      {"slow head", {.head_after = 1h}},
      {"401", whole(401, "{}")},
      {"403", whole(403, "{}")},
      {"404", whole(404, "{}")},
      {"408", whole(408, "{}")},
      {"429", whole(429, "{}")},
      {"500", whole(500, "<html>")},
      {"529", whole(529, "{}")},
      {"302", whole(302, "")},
      {"empty", stream_of({})},
      {"not json", stream_of({"data: oops\n\n"})},
      {"html", stream_of({"<html></html>"})},
      {"whole json", stream_of({reply_body})},
      {"error first", stream_of({"data: {\"error\":{\"message\":\"no\"}}\n\n", done})},
      {"role then cut", stream_of({role})},
      {"role then silence", stream_of({role}, true)},
      {"heartbeats only", stream_of(std::vector<std::string>(1000, ": ping\n\n"), true)},
      {"too much before content",
       stream_of(std::vector<std::string>(40, chunk("", ",\"x\":\"" + std::string(40'000, 'x') + "\"")))},
  };
  for (const auto& [name, failure] : failures) {
    SCOPED_TRACE(name);
    use(once(), {.first_token = 3s});
    log_.records.clear();
    a_->asked_at.clear();
    b_->asked_at.clear();
    sink_.emplace(loop_);
    a_->scripts = {failure};
    b_->scripts = {stream_of({role, hello, stop, done})};
    run();
    EXPECT_EQ(sink_->status, 200);
    EXPECT_EQ(sink_->body, role + hello + stop + done);
    EXPECT_TRUE(sink_->errors.empty());
    EXPECT_EQ(record().target, "b/b-model");
    ASSERT_EQ(record().attempts.size(), 2U);
    EXPECT_EQ(record().attempts.front().end_state, ledger::EndState::upstream_error);
    EXPECT_FALSE(record().attempts.front().reason.empty());
    EXPECT_EQ(record().end_state, ledger::EndState::complete);
  }
}

TEST_F(ExchangeTest, the_callers_own_mistake_comes_back_as_the_provider_said_it) {
  const std::string words =
      R"({"error":{"message":"bad temperature","type":"invalid_request_error","param":null,"code":null}})";
  a_->scripts = {whole(400, words)};
  run();
  EXPECT_EQ(sink_->status, 400);
  EXPECT_EQ(sink_->body, words);
  EXPECT_TRUE(b_->asked_at.empty());
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  EXPECT_EQ(record().status, 400);
}

TEST_F(ExchangeTest, a_refused_key_is_never_the_callers_401) {
  use(once());
  a_->scripts = {whole(401, R"({"error":{"message":"Incorrect\u001b API key"}})")};
  run({}, "only-a");
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::upstream_credentials);
  EXPECT_EQ(sink_->status, 502);
  EXPECT_EQ(sink_->errors.front().message.find("Incorrect"), std::string::npos);
  EXPECT_EQ(record().attempts.front().upstream_words, "Incorrect  API key") << "nothing that moves a terminal's cursor";
}

TEST_F(ExchangeTest, repeats_on_the_same_target_no_earlier_than_it_was_asked_to) {
  use({.attempts = 3, .backoff = 100ms});
  Scripted busy = whole(429, "{}");
  busy.headers.emplace_back("retry-after", "2");
  a_->scripts = {busy, stream_of({role, hello, stop, done})};
  run();
  ASSERT_EQ(a_->asked_at.size(), 2U);
  EXPECT_GE(a_->asked_at[1] - a_->asked_at[0], 2s);
  EXPECT_LT(a_->asked_at[1] - a_->asked_at[0], 2500ms);
  EXPECT_GE(record().attempts[1].backoff, 2s);
  EXPECT_LT(record().added, 1ms) << "waiting is not what weir added";
}

TEST_F(ExchangeTest, a_reused_connection_that_had_been_closed_is_replaced_in_silence) {
  use(once());
  Scripted closed{.refused = Code::end_of_stream};
  closed.facts = {.connected = std::nullopt, .reused_connection = true, .closed_before_reply = true};
  a_->scripts = {closed, stream_of({role, hello, stop, done})};
  run();
  EXPECT_EQ(a_->fresh, (std::vector<bool>{false, true}));
  ASSERT_EQ(record().attempts.size(), 2U);
  EXPECT_TRUE(record().attempts[0].reused_connection);
  EXPECT_TRUE(record().attempts[1].silent_retry);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
}

TEST_F(ExchangeTest, a_408_that_was_meant_for_the_idle_connection_is_no_answer) {
  use(once());
  Scripted crossed{.status = 408, .headers = {{"connection", "close"}}};
  crossed.facts = {.connected = std::nullopt, .reused_connection = true, .closed_before_reply = false};
  a_->scripts = {crossed, stream_of({role, hello, stop, done})};
  run();
  EXPECT_EQ(a_->fresh, (std::vector<bool>{false, true}));
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  // The provider's own, for this call: on a connection that it keeps, or that was opened for it.
  Scripted kept = crossed;
  kept.headers.clear();
  Scripted fresh = crossed;
  fresh.facts.reused_connection = false;
  for (const Scripted& own : {kept, fresh}) {
    log_.records.clear();
    a_->asked_at.clear();
    b_->asked_at.clear();
    a_->fresh.clear();
    sink_.emplace(loop_);
    a_->scripts = {own};
    b_->scripts = {stream_of({role, hello, stop, done})};
    run();
    EXPECT_EQ(a_->fresh.size(), 1U);
    EXPECT_EQ(record().attempts[0].status, 408);
    EXPECT_EQ(record().attempts[0].cause, llm::Cause::slow);
    EXPECT_EQ(record().target, "b/b-model");
  }
}

TEST_F(ExchangeTest, nothing_is_tried_after_the_time_for_the_whole_call) {
  use({.attempts = 20, .backoff = 1s, .backoff_max = 1s}, {.total = 3s});
  for (int i = 0; i < 20; ++i) {
    a_->scripts.push_back({.refused = Code::refused, .head_after = 900ms});
    b_->scripts.push_back({.refused = Code::refused, .head_after = 900ms});
  }
  run();
  EXPECT_EQ(sink_->errors.size(), 1U);
  EXPECT_LE(world_.now() - began_, 3001ms);
}

TEST_F(ExchangeTest, an_unknown_model_is_refused_with_a_record_and_without_an_attempt) {
  run({}, "nothing");
  EXPECT_EQ(sink_->status, 404);
  EXPECT_EQ(record().error_code, "model_not_found");
  EXPECT_EQ(record().status, 404);
  EXPECT_EQ(record().route, "");
}

// Leaving, stopping, failing.

class LeavingCaller : public ExchangeTest, public testing::WithParamInterface<int> {};

TEST_P(LeavingCaller, ends_the_upstream_call_at_once) {
  use({.attempts = 3, .backoff = 10s, .backoff_max = 10s});
  Scripted busy = whole(429, "{}");
  busy.headers.emplace_back("retry-after", "5");
  a_->scripts = {GetParam() == 0   ? Scripted{.head_after = 1h}
                 : GetParam() == 1 ? stream_of({role}, true)
                 : GetParam() == 2 ? stream_of({role, hello}, true)
                                   : busy};
  start();
  after(1s, [this] { caller_leaves(); });
  finish();
  EXPECT_LE(world_.now() - began_, 1001ms);
  EXPECT_EQ(record().end_state, ledger::EndState::client_abort);
  EXPECT_EQ(record().attempts.back().end_state,
            GetParam() == 3 ? ledger::EndState::upstream_error : ledger::EndState::client_abort);
  EXPECT_TRUE(sink_->errors.empty());
}
INSTANTIATE_TEST_SUITE_P(InEveryPhase, LeavingCaller, testing::Values(0, 1, 2, 3));

TEST_F(ExchangeTest, a_stopping_gateway_tells_the_caller_that_the_answer_is_not_whole) {
  a_->scripts = {stream_of({role, hello}, true)};
  start();
  after(1s, [this] { end_.cancellation.cancel(); });
  finish();
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::shutting_down);
  EXPECT_EQ(sink_->body.find("[DONE]"), std::string::npos);
  EXPECT_EQ(record().end_state, ledger::EndState::gateway_error);
  EXPECT_EQ(record().attempts.back().end_state, ledger::EndState::gateway_error);
}

TEST_F(ExchangeTest, an_exception_ends_one_call_with_a_500_and_closed_rows) {
  a_->scripts = {{.throws = true}};
  run();
  EXPECT_EQ(thrown_, "a library gave up");
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::internal);
  EXPECT_EQ(sink_->errors.front().message.find("library"), std::string::npos);
  EXPECT_EQ(record().status, 500);
  EXPECT_EQ(record().end_state, ledger::EndState::gateway_error);
  EXPECT_EQ(record().attempts.front().failure, Code::internal);
}

TEST_F(ExchangeTest, a_slow_caller_is_not_what_weir_added) {
  sink_->takes = 2s;
  a_->scripts = {stream_of({role, hello, stop, done})};
  run();
  EXPECT_GE(record().duration, 4s);
  EXPECT_LT(record().added, 1ms);
}

}  // namespace
}  // namespace weir::gateway
