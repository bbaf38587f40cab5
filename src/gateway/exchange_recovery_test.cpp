// A stream that breaks off, and another answer that goes on with it.
#include "gateway/test_exchange.hpp"

namespace weir::gateway {
namespace {

std::string said(std::string_view id, std::string_view raw, std::string_view field = "content") {
  return fmt::format(
      "data: {{\"id\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{\"{}\":\"{}\"}},\"finish_reason\":null}}]}}\n\n",
      id, field, raw);
}
std::string said_role(std::string_view id) {
  return fmt::format("data: {{\"id\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\"}}}}]}}\n\n",
                     id);
}
std::string said_stop(std::string_view id) {
  return fmt::format(
      "data: {{\"id\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n", id);
}

class RecoveryTest : public ExchangeTest {
 protected:
  RecoveryTest() { use_recovery({}); }
  void use_recovery(routing::Recovery recovery, routing::Retry retry = once(), routing::Timeouts timeouts = {}) {
    recovery_ = recovery;
    use(retry, timeouts);
  }
  [[nodiscard]] double recoveries(std::string_view how, std::string_view outcome) {
    return core_.metrics.cell(observe::metric::recoveries, {how, outcome}).value;
  }
  void again() {
    log_.records.clear();
    for (ScriptedProvider* provider : {a_, b_}) {
      provider->asked_at.clear();
      provider->bodies.clear();
    }
    sink_.emplace(loop_);
  }
  const Scripted rest_ =
      stream_of({said_role("b"), said("b", "Hel"), said("b", "lo wor"), said("b", "ld"), said_stop("b"), done});
};

TEST_F(RecoveryTest, another_target_goes_on_where_it_has_repeated_what_left_whatever_broke) {
  const std::string left = said_role("a") + said("a", "Hello") + said("a", " w");
  std::vector<Scripted> broken(6, stream_of({said_role("a"), said("a", "Hello"), said("a", " w")}));
  broken[1].pieces.push_back({.bytes = {}, .error = Code::reset});
  broken[2].pieces.push_back({.bytes = "data: {\"choices\":\n\n"});
  broken[3].pieces.push_back({.bytes = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"});
  broken[4].pieces.push_back({.bytes = "data: {\"id\":\"a\",\"choi"});
  broken[5].stays_open = true;
  for (const Scripted& one : broken) {
    SCOPED_TRACE(&one - broken.data());
    again();
    a_->scripts = {one};
    b_->scripts = {rest_};
    run();
    EXPECT_EQ(sink_->body, left + said("a", "or") + said("a", "ld") + said_stop("a") + done);
    EXPECT_TRUE(sink_->errors.empty());
    EXPECT_TRUE(sink_->ended);
    EXPECT_EQ(record().end_state, ledger::EndState::complete);
    EXPECT_EQ(record().recovered_from, "a/a-model");
    EXPECT_EQ(record().target, "b/b-model");
    ASSERT_EQ(record().attempts.size(), 2U);
    EXPECT_EQ(record().attempts[0].end_state, ledger::EndState::upstream_error);
    EXPECT_EQ(record().attempts[0].recovery, "");
    EXPECT_EQ(record().attempts[1].recovery, "proven");
    EXPECT_EQ(record().attempts[1].repeated_bytes, 7U);
    EXPECT_TRUE(record().attempts[1].first_token);
    EXPECT_EQ(record().first_token, record().attempts[0].first_token);
    EXPECT_EQ(b_->bodies[0],
              R"({"stream_options":{"include_usage":true},"model":"b-model","stream":true,"messages":[]})");
  }
  EXPECT_EQ(recoveries("proven", "continued"), 6);
  EXPECT_EQ(recoveries("none", "told"), 0);
}

TEST_F(RecoveryTest, an_answer_that_differs_is_cancelled_at_once_and_the_caller_is_told) {
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  b_->scripts = {stream_of({said_role("b"), said("b", "Hel"), said("b", "p me"), said("b", "!")}, true)};
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello"));
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors[0].code, Code::upstream_broken);
  EXPECT_EQ(sink_->errors[0].message,
            "The answer of a/a-model broke off: the stream ended without a finish reason. What arrived before is "
            "incomplete, and no other answer goes on with it. Request id: req_1.");
  EXPECT_FALSE(sink_->ended);
  ASSERT_EQ(record().attempts.size(), 2U);
  const ledger::AttemptRecord& leg = record().attempts[1];
  EXPECT_EQ(leg.events, 3U) << "nothing is read behind the first byte that differs";
  EXPECT_EQ(leg.repeated_bytes, 3U);
  EXPECT_EQ(leg.reason, "its content differs at byte 3 from the text that had left");
  EXPECT_EQ(leg.end_state, ledger::EndState::gateway_error) << "the provider did nothing wrong";
  EXPECT_FALSE(leg.first_token);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
  EXPECT_EQ(record().target, "a/a-model");
  EXPECT_EQ(record().recovered_from, "");
  EXPECT_EQ(recoveries("proven", "differs"), 1);
  EXPECT_EQ(recoveries("none", "told"), 1);
}

TEST_F(RecoveryTest, goes_on_asking_while_attempts_are_left) {
  use_recovery({}, {.attempts = 2, .backoff = 1ms});
  // The same target is asked again, and breaks off before the point; the next one refuses; its second try goes on,
  // breaks off itself behind that point, and there is nobody left.
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")}), stream_of({said_role("c"), said("c", "He")})};
  b_->scripts = {whole(503, "{}"), stream_of({said_role("b"), said("b", "Hello "), said("b", "w")})};
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + said("a", " ") + said("a", "w"));
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_TRUE(sink_->errors[0].message.starts_with("The answer of b/b-model broke off"));
  EXPECT_EQ(record().attempts.size(), 4U);
  EXPECT_EQ(recoveries("proven", "failed"), 2);
  EXPECT_EQ(recoveries("proven", "continued"), 1);
}

TEST_F(RecoveryTest, an_answer_that_was_gone_on_with_can_be_gone_on_with_again) {
  use_recovery({}, {.attempts = 2, .backoff = 1ms});
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")}),
                 stream_of({said_role("c"), said("c", "Hello w"), said("c", "or")})};
  b_->scripts = {rest_};
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + said("a", " w") + said("a", "or") + said("a", "ld") +
                             said_stop("a") + done);
  EXPECT_TRUE(sink_->errors.empty());
  EXPECT_EQ(record().attempts.size(), 3U);
  EXPECT_EQ(record().recovered_from, "a/a-model");
  EXPECT_EQ(record().target, "b/b-model");
}

TEST_F(RecoveryTest, the_usage_of_all_legs_is_in_the_record_and_the_last_ones_with_the_caller) {
  const auto usage = [](std::string_view id, int out) {
    return fmt::format(
        "data: {{\"id\":\"{}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":{}}}}}\n\n", id,
        out);
  };
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello"), usage("a", 1)})};
  b_->scripts = {stream_of({said_role("b"), said("b", "Hello you"), said_stop("b"), usage("b", 2), done})};
  run(R"(,"stream_options":{"include_usage":true})");
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + usage("a", 1) + said("a", " you") + said_stop("a") +
                             usage("a", 2) + done);
  EXPECT_EQ(record().usage.input_tokens, 6);
  EXPECT_EQ(record().usage.output_tokens, 3);
}

TEST_F(RecoveryTest, nobody_is_asked_where_that_is_switched_off_or_could_not_be_proven) {
  const auto told = [&](const Scripted& first, std::string_view more = {}) {
    again();
    a_->scripts = {first};
    run(more);
    EXPECT_EQ(sink_->errors.size(), 1U);
    EXPECT_TRUE(b_->asked_at.empty());
    EXPECT_EQ(record().attempts.size(), 1U);
    EXPECT_FALSE(sink_->body.contains("[DONE]"));
  };
  const Scripted text = stream_of({said_role("a"), said("a", "Hello")});
  const std::string tool = chunk(
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]}})");
  told(stream_of({said_role("a"), said("a", "Hello"), tool}));
  use_recovery({.mode = routing::RecoveryMode::none});
  told(text);
  use_recovery({.with_seed = false});
  told(text, R"(,"seed":7)");
  use_recovery({});
  core_.relay.delivered_bytes_max = 4;
  told(text);
  core_.relay.delivered_bytes_max = 100;
  EXPECT_EQ(recoveries("none", "told"), 4);

  // And where it may: a seed of null is none.
  use_recovery({.with_seed = false});
  again();
  a_->scripts = {text};
  b_->scripts = {rest_};
  run(R"(,"seed":null)");
  EXPECT_TRUE(sink_->errors.empty());
}

TEST_F(RecoveryTest, a_target_without_recovery_is_not_asked_to_go_on) {
  auto snapshot = std::make_shared<Snapshot>(*core_.snapshot);
  snapshot->models.exact.find("smart")->second.steps[1].any_of[0].recovery.mode = routing::RecoveryMode::none;
  core_.snapshot = std::move(snapshot);
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  run();
  EXPECT_EQ(sink_->errors.size(), 1U);
  ASSERT_EQ(record().skipped.size(), 1U);
  EXPECT_EQ(record().skipped[0], "b/b-model: its `recovery` is none");
}

TEST_F(RecoveryTest, keep_alives_fill_the_time_until_an_answer_goes_on) {
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  b_->scripts = {rest_};
  b_->scripts[0].head_after = 50s;
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + alive + alive + said("a", " wor") + said("a", "ld") +
                             said_stop("a") + done);
  EXPECT_EQ(sink_->most_at_once, 1);
}

TEST_F(RecoveryTest, a_caller_who_leaves_meanwhile_ends_it) {
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  b_->scripts = {stream_of({said_role("b")}, true)};
  start();
  after(1s, [&] { caller_leaves(); });
  finish();
  EXPECT_EQ(record().end_state, ledger::EndState::client_abort);
  EXPECT_LT(world_.now() - began_, 2s);
}

TEST_F(RecoveryTest, what_is_kept_is_charged_and_given_back) {
  platform::MemoryBudget budget(std::size_t{1} << 20);
  core_.budget = &budget;
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")}, true)};
  b_->scripts = {rest_};
  start();
  std::size_t used = 0;
  after(1s, [&] { used = budget.used(); });
  finish();
  EXPECT_EQ(used, 4096U);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_TRUE(sink_->errors.empty());
  core_.budget = nullptr;
}

TEST_F(RecoveryTest, prefill_gives_the_target_what_left_and_falls_back_to_the_proof) {
  use_recovery({.mode = routing::RecoveryMode::prefill});
  b_->prefill = openai::Prefill::last_message;
  const std::string_view more = R"(,"messages":[{"role":"user","content":"Hi"}])";
  const Scripted first = stream_of({said_role("a"), said("a", "Once upon a time")});
  const std::string left = said_role("a") + said("a", "Once upon a time");
  a_->scripts = {first};
  b_->scripts = {stream_of({said_role("b"), said("b", " there was"), said_stop("b"), done})};
  run(more);
  EXPECT_EQ(sink_->body, left + said("a", " there was") + said_stop("a") + done);
  EXPECT_TRUE(b_->bodies[0].contains(R"(,{"role":"assistant","content":"Once upon a time"}])")) << b_->bodies[0];
  EXPECT_EQ(record().attempts[1].recovery, "prefill");

  // Refused, or not gone on with: the same target is asked without it, and that is no further attempt of its own.
  for (const Scripted& refusal :
       {whole(400, R"({"error":{"message":"no"}})"),
        stream_of({said_role("b"), said("b", "Once upon"), said("b", " a time and so on")}, true)}) {
    again();
    a_->scripts = {first};
    b_->scripts = {refusal, stream_of({said_role("b"), said("b", "Once upon a time there"), said_stop("b"), done})};
    run(more);
    EXPECT_EQ(sink_->body, left + said("a", " there") + said_stop("a") + done);
    ASSERT_EQ(b_->bodies.size(), 2U);
    EXPECT_FALSE(b_->bodies[1].contains("assistant"));
    ASSERT_EQ(record().attempts.size(), 3U);
    EXPECT_EQ(record().attempts[1].recovery, "prefill");
    EXPECT_EQ(record().attempts[2].recovery, "proven");
  }

  // Thoughts cannot be given.
  again();
  a_->scripts = {stream_of({said_role("a"), said("a", "Hm", "reasoning_content"), said("a", "Hello")})};
  b_->scripts = {stream_of({said("b", "Hm", "reasoning_content"), said("b", "Hello"), said_stop("b"), done})};
  run(more);
  EXPECT_EQ(record().attempts[1].recovery, "proven");
  EXPECT_TRUE(sink_->errors.empty());
}

}  // namespace
}  // namespace weir::gateway
