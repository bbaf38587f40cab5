#include "admin/story.hpp"

#include <gtest/gtest.h>

#include "ledger/request_record.hpp"

namespace weir::admin {
namespace {

using namespace std::chrono_literals;

ledger::RequestRecord call() {
  ledger::RequestRecord record;
  record.id = "req_1";
  record.client = "127.0.0.1:5";
  record.endpoint = "/v1/chat/completions";
  record.model = "smart";
  record.stream = true;
  record.status = 200;
  record.end_state = ledger::EndState::complete;
  record.duration = 1500ms;
  record.added = 300us;
  return record;
}

TEST(Story, tells_each_target_why_it_was_left_and_what_came_of_it) {
  ledger::RequestRecord record = call();
  record.skipped = {"off/x: its provider is switched off"};
  ledger::AttemptRecord& first = record.attempts.emplace_back();
  first.target = "a/x";
  first.started = 1ms;
  first.connected = 3ms;
  first.first_byte = 10ms;
  first.ended = 11ms;
  first.status = 503;
  first.end_state = ledger::EndState::upstream_error;
  first.failure = Code::upstream_error;
  first.reason = "it answered 503 Service Unavailable";
  first.upstream_words = "overloaded";
  ledger::AttemptRecord& second = record.attempts.emplace_back();
  second.target = "b/y";
  second.started = 511ms;
  second.backoff = 500ms;
  second.reused_connection = true;
  second.first_byte = 600ms;
  second.first_token = 700ms;
  second.ended = 1500ms;
  second.status = 200;
  second.events = 12;
  second.end_state = ledger::EndState::complete;
  record.usage.input_tokens = 3;
  record.usage.output_tokens = 12;

  const auto story = story_of(ledger::to_json(record));
  ASSERT_TRUE(story);
  EXPECT_EQ(*story,
            "req_1  1970-01-01T00:00:00.000Z\n"
            "127.0.0.1:5 asked /v1/chat/completions for \"smart\", streamed.\n"
            "  -  not asked: off/x: its provider is switched off\n"
            "  1. a/x at +1.00 ms: connected in 2.00 ms\n"
            "     answered 503 after 9.00 ms\n"
            "     left after 10 ms: it answered 503 Service Unavailable (upstream_error)\n"
            "     its own words: overloaded\n"
            "     waited 500 ms before trying again\n"
            "  2. b/y at +511 ms: over a kept-alive connection\n"
            "     answered 200 after 89 ms, first content after 189 ms\n"
            "     complete after 989 ms, 12 events\n"
            "The caller got the whole answer: status 200, after 1.50 s; weir itself took 0.30 ms of it.\n"
            "Tokens: 3 in, 12 out, as the provider counted them.\n"
            "Cost: unknown, because a target that was asked has no price or told no usage.\n");
  record.cost = ledger::Money::parse("0.00472");
  EXPECT_TRUE(story_of(ledger::to_json(record)).value_or("").ends_with("\nCost: $0.00472.\n"));
}

TEST(Story, tells_how_it_ended_for_the_caller) {
  ledger::RequestRecord record = call();
  record.end_state = ledger::EndState::client_abort;
  EXPECT_NE(story_of(ledger::to_json(record))->find("The caller left before the end"), std::string::npos);
  record.end_state = ledger::EndState::gateway_error;
  record.status = 404;
  record.error_code = "model_not_found";
  record.error_message = "no such model";
  const auto refused = story_of(ledger::to_json(record));
  EXPECT_NE(refused->find("No provider was asked: no such model"), std::string::npos) << *refused;
  EXPECT_NE(refused->find("status 404, model_not_found"), std::string::npos) << *refused;
}

TEST(Story, refuses_what_is_no_record) {
  for (const std::string_view text : {"", "[]", "{}", "{\"attempts\":", "{\"error\":{}}"}) {
    EXPECT_FALSE(story_of(text)) << text;
  }
}

TEST(Story, lets_no_character_reach_the_terminal_that_could_steer_it) {
  ledger::RequestRecord record = call();
  record.model = "x\u009b2J\u202ey\x1b";
  record.skipped = {"off/x\u009b2J: its provider is switched off"};
  const auto story = story_of(ledger::to_json(record));
  ASSERT_TRUE(story);
  EXPECT_NE(story->find("for \"x 2J y \", streamed"), std::string::npos) << *story;
  EXPECT_NE(story->find("not asked: off/x 2J: its"), std::string::npos) << *story;
}

}  // namespace
}  // namespace weir::admin
