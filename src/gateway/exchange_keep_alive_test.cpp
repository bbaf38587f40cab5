// Keep-alives before the first content.
#include "gateway/test_exchange.hpp"

namespace weir::gateway {
namespace {

TEST_F(ExchangeTest, a_long_silence_is_filled_with_comments_until_the_first_content) {
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[1].after = 70s;  // the role comes at once
  a_->scripts = {slow};
  start();
  Instant first{};
  after(19'900ms, [&] { EXPECT_FALSE(sink_->head_sent); });
  after(20'100ms, [&] {
    EXPECT_EQ(sink_->body, alive);
    first = sink_->last_event;
  });
  finish();
  EXPECT_EQ(first, began_ + 20s);
  EXPECT_EQ(sink_->body, alive + alive + alive + role + hello + stop + done);
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(record().keep_alives, 3U);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  EXPECT_EQ(record().target, "a/a-model");
  for (const auto& [name, value] : sink_->headers) {
    EXPECT_NE(name, "x-weir-target") << "no target was known yet";
  }
  EXPECT_EQ(core_.metrics.cell(observe::metric::keep_alives, {"/v1/chat/completions"}).value, 3);
}

TEST_F(ExchangeTest, keep_alives_go_on_over_retries_and_fallback) {
  use({.attempts = 2, .backoff = 10ms}, {.first_token = 25s});
  Scripted busy = whole(503, "{}");
  busy.head_after = 15s;
  a_->scripts = {busy, busy};
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[0].after = 20s;
  b_->scripts = {slow};
  run();
  EXPECT_EQ(sink_->body, alive + alive + role + hello + stop + done);
  EXPECT_EQ(record().attempts.size(), 3U);
  EXPECT_EQ(record().target, "b/b-model");
  EXPECT_TRUE(sink_->errors.empty());
}

TEST_F(ExchangeTest, a_failure_after_keep_alives_is_an_error_event) {
  use(once(), {.first_token = 30s});
  a_->scripts = {{.head_after = 1h}};
  Scripted refusal = whole(429, R"({"error":{"message":"slow down",
    "type":"requests","code":"rate_limit_exceeded"}})");
  b_->scripts = {refusal};
  run();
  EXPECT_EQ(sink_->body, alive) << "no success terminator, and no half JSON body";
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::upstream_error);
  EXPECT_EQ(sink_->reply, R"({"error":{"message":"slow down",     "type":"requests","code":"rate_limit_exceeded"}})");
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(record().status, 200);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
}

TEST_F(ExchangeTest, only_streams_are_kept_alive_and_only_if_the_options_say_so) {
  a_->scripts = {{.head_after = 70s, .pieces = {{.bytes = reply_body}}}};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body);
  EXPECT_EQ(record().keep_alives, 0U);
}

TEST_F(ExchangeTest, no_keep_alive_where_they_are_switched_off) {
  core_.relay.keep_alive_after = 0ms;
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[0].after = 70s;
  a_->scripts = {slow};
  run();
  EXPECT_EQ(sink_->body, role + hello + stop + done);
}

TEST_F(ExchangeTest, content_waits_until_a_keep_alive_that_is_being_written_has_left) {
  sink_->takes = 3s;
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[0].after = 21s;
  a_->scripts = {slow};
  run();
  EXPECT_EQ(sink_->body, alive + role + hello + stop + done);
  EXPECT_EQ(sink_->most_at_once, 1) << "one write at a time";
  EXPECT_LT(record().added, 1ms);
}

TEST_F(ExchangeTest, a_caller_who_leaves_between_keep_alives_ends_the_call) {
  a_->scripts = {{.head_after = 1h}};
  start();
  after(50s, [this] { caller_leaves(); });
  finish();
  EXPECT_LE(world_.now() - began_, 51s);
  EXPECT_EQ(record().end_state, ledger::EndState::client_abort);
  EXPECT_EQ(record().keep_alives, 2U);
}

TEST_F(ExchangeTest, an_exception_after_keep_alives_is_told_in_an_event) {
  a_->scripts = {{.head_after = 30s, .throws = true}};
  run();
  EXPECT_EQ(sink_->body, alive);
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::internal);
  EXPECT_EQ(core_.metrics.cell(observe::metric::attempts, {"a/a-model", "internal_error"}).value, 1)
      << "an attempt that an exception ended is counted like any other";
}

}  // namespace
}  // namespace weir::gateway
