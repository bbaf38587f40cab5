// The mock provider: the same request gives the same answer, and each fault is what it says.
#include "providers/mock_provider.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dialects/openai/reply.hpp"
#include "dialects/openai/stream_checker.hpp"
#include "http/sse_parser.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::providers {
namespace {

using namespace std::chrono_literals;

struct Answer {
  std::optional<Code> failed;
  int status = 0;
  std::string type;
  std::string retry_after;
  std::string body;
  platform::Duration first{};
  platform::Duration took{};
};

class Mock : public testing::Test {
 protected:
  Task<void> ask(std::string body, std::string model, std::string words, Answer& answer) {
    const std::string_view slice = body;
    const UpstreamRequest request{.path = "/chat/completions",
                                  .body = {&slice, 1},
                                  .body_bytes = body.size(),
                                  .headers = {},
                                  .model = model,
                                  .mock = words};
    UpstreamFacts facts;
    const platform::Until until{.deadline = loop_.now() + 10s};
    const platform::Instant began = loop_.now();
    auto reply = co_await mock_.send(request, facts, until);
    if (!reply) {
      answer.failed = reply.error().code;
      co_return;
    }
    answer.status = (*reply)->status();
    answer.type = (*reply)->headers().value("content-type");
    answer.retry_after = (*reply)->headers().value("retry-after");
    while (true) {
      const auto bytes = co_await (*reply)->read(until);
      if (!bytes) {
        answer.failed = bytes.error().code;
        break;
      }
      if (bytes->empty()) {
        break;
      }
      if (bytes->find("\"content\":\"") != std::string_view::npos && answer.first == platform::Duration{} &&
          loop_.now() > began) {
        answer.first = loop_.now() - began;
      }
      answer.body += *bytes;
    }
    answer.took = loop_.now() - began;
  }
  Answer ask(bool stream, std::string words = {}, std::string_view more = {}) {
    Answer answer;
    const platform::Running running(
        loop_,
        ask(fmt::format(R"({{"model":"m","stream":{},"messages":[{{"role":"user","content":"say it back"}}]{}}})",
                        stream, more),
            "m", std::move(words), answer));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(running.done());
    return answer;
  }
  static openai::StreamChecker check(const std::string& body, bool usage = false) {
    openai::StreamChecker checker(usage ? openai::StreamChecker::Usage::asked
                                        : openai::StreamChecker::Usage::not_asked);
    http::SseParser parser(100'000);
    parser.feed(body);
    for (auto event = parser.next(); event && *event; event = parser.next()) {
      checker.feed((*event)->data);
    }
    checker.end();
    return checker;
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& loop_ = world_.add_loop("10.0.0.1");
  MockProvider mock_{loop_, {}};
};

TEST_F(Mock, streams_by_the_grammar_at_the_pace_it_was_told) {
  const Answer answer = ask(true, "first_token=200ms,tokens_per_second=10,text=one two three four");
  EXPECT_EQ(answer.type, "text/event-stream; charset=utf-8");
  EXPECT_EQ(answer.first, 200ms);
  EXPECT_EQ(answer.took, 500ms);
  const openai::StreamChecker checker = check(answer.body);
  EXPECT_TRUE(checker.violations().empty());
  EXPECT_TRUE(checker.done_seen());
  EXPECT_EQ(checker.content(0), "one two three four");
}

TEST_F(Mock, answers_whole_with_the_tokens_it_counted) {
  const Answer answer = ask(false, "echo");
  const openai::ReplyFacts facts = openai::inspect_reply(answer.body);
  EXPECT_FALSE(facts.malformed);
  ASSERT_TRUE(facts.usage);
  EXPECT_EQ(facts.usage->input_tokens, 3);
  EXPECT_NE(answer.body.find("say it back"), std::string::npos);
}

TEST_F(Mock, the_same_request_gets_the_same_answer) {
  EXPECT_EQ(ask(true).body, ask(true).body);
  EXPECT_EQ(ask(false).body, ask(false).body);
}

TEST_F(Mock, tells_usage_only_where_it_was_asked_and_may) {
  const std::string_view asked = R"(,"stream_options":{"include_usage":true})";
  EXPECT_NE(ask(true, "", asked).body.find("prompt_tokens"), std::string::npos);
  EXPECT_EQ(ask(true, "usage=false", asked).body.find("prompt_tokens"), std::string::npos);
  EXPECT_EQ(ask(true).body.find("prompt_tokens"), std::string::npos);
}

TEST_F(Mock, calls_the_first_tool_where_it_is_told_to) {
  const std::string_view tools = R"(,"tools":[{"type":"function","function":{"name":"look_up"}}])";
  const Answer streamed = ask(true, "tool_calls", tools);
  EXPECT_TRUE(check(streamed.body).violations().empty());
  EXPECT_NE(streamed.body.find("\"name\":\"look_up\""), std::string::npos);
  EXPECT_NE(ask(false, "tool_calls", tools).body.find("\"finish_reason\":\"tool_calls\""), std::string::npos);
  EXPECT_EQ(ask(false, "", tools).body.find("look_up"), std::string::npos);
}

TEST_F(Mock, each_fault_is_what_it_says) {
  const Answer status = ask(true, "fault=status,status=429,retry_after=1500ms");
  EXPECT_EQ(status.status, 429);
  EXPECT_EQ(status.retry_after, "2");
  EXPECT_EQ(ask(true, "fault=reset").failed, Code::reset);
  const Answer stall = ask(true, "fault=stall,after_events=1");
  EXPECT_EQ(stall.failed, Code::timeout);
  EXPECT_NE(stall.body.find("Hello"), std::string::npos);
  const Answer cut = ask(true, "fault=cut,after_events=2");
  EXPECT_EQ(cut.failed, Code::end_of_stream);
  EXPECT_EQ(cut.body.find("Weir"), std::string::npos);
  const Answer cut_whole = ask(false, "fault=cut");
  EXPECT_EQ(cut_whole.failed, Code::end_of_stream);
  const Answer malformed = ask(true, "fault=malformed,after_events=1");
  EXPECT_FALSE(check(malformed.body).violations().empty());
  const Answer no_done = ask(true, "fault=no_done");
  EXPECT_EQ(no_done.failed, std::nullopt);
  EXPECT_EQ(no_done.body.find("[DONE]"), std::string::npos);
  const Answer error = ask(true, "fault=error_event,after_events=0");
  EXPECT_TRUE(check(error.body).error_seen());
}

TEST_F(Mock, fails_every_nth_call_only) {
  std::string pattern;
  for (int i = 0; i < 6; ++i) {
    pattern += ask(false, "fault=status,every=3").status == 200 ? '.' : 'x';
  }
  EXPECT_EQ(pattern, "..x..x");
}

TEST_F(Mock, refuses_words_that_it_does_not_know_with_a_400_that_names_them) {
  const Answer answer = ask(false, "echo,colour=blue");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("colour"), std::string::npos);
  EXPECT_EQ(ask(false, "status=99").status, 400);
}

TEST_F(Mock, an_absurd_pace_is_slow_and_nothing_worse) {
  const Answer answer = ask(true, "tokens_per_second=1e-300,first_token=0ms");
  EXPECT_EQ(answer.failed, Code::timeout);
}

}  // namespace
}  // namespace weir::providers
