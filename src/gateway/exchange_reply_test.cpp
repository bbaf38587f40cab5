// What reaches the caller, and how answers end.
#include "gateway/test_exchange.hpp"

namespace weir::gateway {
namespace {

// How streams end.

TEST_F(ExchangeTest, a_stream_passes_unchanged_and_ends_though_the_upstream_stays_open) {
  a_->scripts = {stream_of({role, hello, stop, done}, true)};
  run();
  EXPECT_EQ(sink_->body, role + hello + stop + done);
  EXPECT_TRUE(sink_->errors.empty());
  ASSERT_TRUE(sink_->ended);
  EXPECT_LE(*sink_->ended - sink_->last_event, 50ms);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  EXPECT_EQ(record().attempts.size(), 1U);
}

TEST_F(ExchangeTest, a_finish_reason_implies_the_terminator_that_does_not_come) {
  for (const bool stays_open : {true, false}) {
    log_.records.clear();
    a_->asked_at.clear();
    sink_->body.clear();
    a_->scripts = {stream_of({role, hello, stop}, stays_open)};
    run();
    EXPECT_EQ(sink_->body, role + hello + stop + done);
    ASSERT_TRUE(sink_->ended);
    EXPECT_LE(*sink_->ended - sink_->last_event, 50ms);
  }
}

TEST_F(ExchangeTest, a_reply_that_ends_inside_its_json_may_go_on_and_leaves_no_connection) {
  use(once());
  for (const std::string& body : {reply_body, reply_body.substr(0, 20)}) {
    log_.records.clear();
    sink_.emplace(loop_);
    bool distrusted = false;
    a_->scripts = {whole(200, body)};
    a_->scripts[0].distrusted = &distrusted;
    b_->scripts = {whole(200, reply_body)};
    a_->asked_at.clear();
    b_->asked_at.clear();
    run("", "smart", false);
    EXPECT_EQ(sink_->body, reply_body);
    EXPECT_EQ(distrusted, body != reply_body);
    b_->scripts.clear();
  }
}

TEST_F(ExchangeTest, heartbeats_after_the_finish_do_not_hold_the_caller) {
  std::vector<std::string> events{role, hello, stop};
  for (int i = 0; i < 10'000; ++i) {
    events.emplace_back(": ping\n\n");
  }
  a_->scripts = {stream_of(std::move(events), true)};
  run();
  const Instant finished = began_ + 15ms;  // three events, 5 ms apart
  ASSERT_TRUE(sink_->ended);
  EXPECT_LE(*sink_->ended - finished, 50ms);
  EXPECT_TRUE(sink_->body.ends_with(done));
}

TEST_F(ExchangeTest, events_without_end_after_the_finish_are_not_followed_for_ever) {
  std::vector<std::string> events{role, hello, stop};
  for (int i = 0; i < 10'000; ++i) {
    events.push_back(chunk(R"({"index":0,"delta":{},"finish_reason":null})"));
  }
  a_->scripts = {stream_of(std::move(events), true)};
  run();
  ASSERT_TRUE(sink_->ended);
  EXPECT_LE(*sink_->ended - began_, 1100ms);
}

TEST_F(ExchangeTest, choices_that_come_one_after_the_other_are_one_answer) {
  const std::string second =
      chunk(R"({"index":1,"delta":{"role":"assistant","content":"other"},"finish_reason":null})");
  const std::string second_stop = chunk(R"({"index":1,"delta":{},"finish_reason":"stop"})");
  Scripted slow = stream_of({role, hello, stop, second, second_stop, done});
  slow.pieces[3].after = 2s;
  a_->scripts = {slow};
  run(R"(,"n":2)");
  EXPECT_EQ(sink_->body, role + hello + stop + second + second_stop + done);
  EXPECT_TRUE(sink_->errors.empty());
}

TEST_F(ExchangeTest, a_choice_that_never_came_makes_the_answer_broken) {
  a_->scripts = {stream_of({role, hello, stop})};
  run(R"(,"n":2)");
  EXPECT_EQ(sink_->body, role + hello + stop);
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
}

TEST_F(ExchangeTest, whatever_breaks_after_content_ends_with_one_error_and_no_terminator) {
  const std::vector<Scripted> broken = [] {
    std::vector<Scripted> all;
    all.push_back(stream_of({role, hello}));  // ends
    all.push_back(stream_of({role, hello}));
    all.back().pieces.push_back({.bytes = {}, .error = Code::reset});
    all.push_back(stream_of({role, hello}));
    all.back().pieces.push_back({.bytes = {}, .error = Code::end_of_stream});
    all.push_back(stream_of({role, hello, "data: {\"choices\":\n\n", stop, done}));                       // malformed
    all.push_back(stream_of({role, hello, "data: {\"error\":{\"message\":\"overloaded\"}}\n\n", done}));  // reported
    all.push_back(stream_of({role, hello, "data: {\"id\":\"c\",\"choi"}));  // within an event
    all.push_back(stream_of({role, hello}, true));                          // silence
    all.push_back(stream_of({role, hello, stop, "data: {\"error\":{\"message\":\"late\"}}\n\n", done}));
    all.push_back(stream_of({role, hello, "data: " + std::string(std::size_t{2} << 20, 'x')}));  // too large
    return all;
  }();
  for (std::size_t i = 0; i < broken.size(); ++i) {
    SCOPED_TRACE(i);
    log_.records.clear();
    a_->asked_at.clear();
    sink_.emplace(loop_);
    a_->scripts = {broken[i]};
    run();
    EXPECT_TRUE(sink_->body.starts_with(role + hello));
    EXPECT_EQ(sink_->body.find("[DONE]"), std::string::npos);
    EXPECT_FALSE(sink_->ended);
    EXPECT_EQ(sink_->errors.size(), 1U);
    EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
    EXPECT_EQ(record().attempts.size(), 1U) << "nothing is tried again after content";
    EXPECT_EQ(record().attempts.back().end_state, ledger::EndState::upstream_error);
    EXPECT_FALSE(record().error_code.empty());
  }
}

TEST_F(ExchangeTest, usage_that_weir_asked_for_is_recorded_and_not_shown) {
  const std::string usage = chunk("", R"(,"usage":{"prompt_tokens":3,"completion_tokens":5})");
  a_->scripts = {stream_of({role, hello, stop, usage, done})};
  run();
  EXPECT_EQ(sink_->body, role + hello + stop + done);
  EXPECT_NE(a_->bodies.front().find(R"("include_usage":true)"), std::string::npos);
  EXPECT_EQ(record().usage.input_tokens, 3);
  EXPECT_EQ(record().usage.output_tokens, 5);
  EXPECT_EQ(record().usage_source, ledger::UsageSource::provider);
}

TEST_F(ExchangeTest, a_member_cut_out_of_several_data_lines_leaves_every_line_a_field) {
  a_->scripts = {stream_of({role,
                            "data: {\"id\":\"c\",\ndata:  "
                            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}],\ndata: \"usage\":null}\n\n",
                            stop, done})};
  run();
  const std::string event =
      sink_->body.substr(role.size(), sink_->body.size() - role.size() - stop.size() - done.size());
  http::SseParser parser(10'000);
  parser.feed(event);
  const auto parsed = parser.next();
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->bytes.size(), event.size());
  const auto facts = openai::inspect_chunk((*parsed)->data);
  EXPECT_FALSE(facts.malformed) << event;
  EXPECT_FALSE(facts.usage_member.has_value());
  EXPECT_TRUE(facts.content_bearing);
}

// Replies that are not streamed.

TEST_F(ExchangeTest, a_whole_reply_passes_unchanged_in_any_number_of_pieces) {
  Scripted pieces = whole(200, reply_body.substr(0, 10));
  pieces.pieces.push_back({.after = 5ms, .bytes = reply_body.substr(10)});
  a_->scripts = {pieces};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
}

TEST_F(ExchangeTest, half_a_reply_is_replaced_and_leaves_no_word_in_the_record) {
  use(once());
  a_->scripts = {whole(200, reply_body.substr(0, reply_body.size() - 5))};
  b_->scripts = {whole(200, reply_body)};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body);
  EXPECT_EQ(ledger::to_json(record()).find("hello"), std::string::npos);
}

TEST_F(ExchangeTest, an_error_that_repeats_the_prompt_leaves_it_out_of_the_record) {
  use(once());
  a_->scripts = {
      whole(422, R"({"detail":[{"msg":"field required","input":{"messages":[{"content":"my secret prompt"}]}}]})")};
  run({}, "only-a", false);
  EXPECT_EQ(sink_->status, 422);
  EXPECT_NE(sink_->body.find("my secret prompt"), std::string::npos) << "the caller gets the provider's answer";
  EXPECT_EQ(ledger::to_json(record()).find("my secret prompt"), std::string::npos);
}

TEST_F(ExchangeTest, a_reply_too_large_to_hold_is_relayed_and_its_break_is_told) {
  Scripted large = whole(200, R"({"choices":[{"message":{"content":")");
  for (int i = 0; i < 40; ++i) {
    large.pieces.push_back({.bytes = std::string(64'000, 'x')});
  }
  large.pieces.push_back({.bytes = {}, .error = Code::reset});
  a_->scripts = {large};
  run({}, "smart", false);
  EXPECT_GT(sink_->body.size(), 2'000'000U);
  EXPECT_EQ(sink_->errors.size(), 1U);
  EXPECT_FALSE(sink_->ended);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
}

// Sloppy servers.

TEST_F(ExchangeTest, a_sloppy_event_is_mended_and_named_and_the_others_pass_as_they_are) {
  const std::string call =
      "event: x\ndata:{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":\"a\","
      "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}],\"usage\":null}\r\n\r\n";
  a_->scripts = {stream_of({role, call, stop, done})};
  run();
  EXPECT_EQ(
      sink_->body,
      role +
          "event: x\ndata:{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\","
          "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\r\n\r\n" +
          chunk(R"({"index":0,"delta":{},"finish_reason":"tool_calls"})") + done);
  const std::string json = ledger::to_json(record());
  EXPECT_NE(json.find(R"("mended":{"finish_reason":1,"tool_index":1})"), std::string::npos) << json;
  EXPECT_EQ(core_.metrics.cell(observe::metric::mended, {"a/a-model", "tool_index"}).value, 1);
}

// What is held is charged.

TEST_F(ExchangeTest, what_is_held_before_the_commit_is_charged_and_given_back) {
  platform::MemoryBudget budget(role.size() + 10);
  core_.budget = &budget;
  use(once());
  a_->scripts = {stream_of({role, role, hello, stop, done})};
  b_->scripts = {stream_of({role, hello, stop, done})};
  run();
  EXPECT_EQ(record().attempts.front().failure, Code::overloaded);
  EXPECT_EQ(sink_->body, role + hello + stop + done);
  EXPECT_EQ(budget.used(), 0U);
  core_.budget = nullptr;
}

TEST_F(ExchangeTest, a_whole_reply_that_cannot_be_held_is_relayed_at_once_and_its_usage_is_found) {
  platform::MemoryBudget budget(10);
  core_.budget = &budget;
  Scripted reply = whole(200, reply_body.substr(0, 30));
  const std::string rest =
      reply_body.substr(30, reply_body.size() - 31) + R"(,"usage":{"prompt_tokens":3,"completion_tokens":4}})";
  reply.pieces.push_back({.after = 5ms, .bytes = rest.substr(0, 40)});
  reply.pieces.push_back({.after = 5ms, .bytes = rest.substr(40)});
  a_->scripts = {reply};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body.substr(0, 30) + rest);
  EXPECT_EQ(record().usage.output_tokens, 4);
  EXPECT_EQ(budget.used(), 0U);
  core_.budget = nullptr;
}

}  // namespace
}  // namespace weir::gateway
