#include "dialects/openai/stream_checker.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::openai {
namespace {

using Events = std::vector<std::string>;
using Usage = StreamChecker::Usage;

std::string chunk(std::string_view choices, std::string_view rest = "") {
  return fmt::format(R"({{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":{}{}}})",
                     choices, rest);
}

std::string delta(std::string_view delta_object, std::string_view finish_reason = "null", int index = 0) {
  return chunk(fmt::format(R"([{{"index":{},"delta":{},"finish_reason":{}}}])", index, delta_object, finish_reason));
}

const std::string begin = delta(R"({"role":"assistant","content":""})");
const std::string hello = delta(R"({"content":"Hello"})");
const std::string stop = delta("{}", R"("stop")");
const std::string done = "[DONE]";
const std::string error = R"({"error":{"message":"boom","type":"server_error","param":null,"code":null}})";

std::vector<std::string> violations_of(const Events& events, Usage usage = Usage::not_asked) {
  StreamChecker checker(usage);
  for (const std::string& event : events) {
    checker.feed(event);
  }
  checker.end();
  return checker.violations();
}

TEST(StreamChecker, finds_nothing_in_streams_that_follow_the_grammar) {
  EXPECT_EQ(violations_of({begin, hello, hello, stop, done}), Events{});
  EXPECT_EQ(violations_of({begin, hello, error}), Events{});
  EXPECT_EQ(violations_of({error}), Events{});
  EXPECT_EQ(
      violations_of({
          delta(R"({"role":"assistant","content":null})"),
          delta(
              R"({"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}]})"),
          delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]})"),
          delta(R"({"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]})"),
          delta(R"({"tool_calls":[{"index":1,"id":"call_b","type":"custom","custom":{"name":"g","input":""}}]})"),
          delta("{}", R"("tool_calls")"),
          done,
      }),
      Events{});
  EXPECT_EQ(violations_of({
                begin,
                delta(R"({"role":"assistant","content":"a"})", "null", 1),
                hello,
                stop,
                delta(R"({"content":"b"})", "null", 1),
                delta("{}", R"("length")", 1),
                done,
            }),
            Events{});
}

std::string with_usage(std::string_view choices, std::string_view usage) {
  return chunk(choices, fmt::format(R"(,"usage":{})", usage));
}

const std::string counts = R"({"prompt_tokens":1,"completion_tokens":2,"total_tokens":3})";
const std::string whole = R"([{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}])";

TEST(StreamChecker, knows_the_usage_that_was_asked_for) {
  EXPECT_EQ(violations_of({with_usage(whole, "null"), with_usage("[]", counts), done}, Usage::asked), Events{});
}

TEST(StreamChecker, assembles_the_text_of_each_choice) {
  StreamChecker checker(Usage::not_asked);
  for (const std::string& event : {begin, hello, delta(R"({"content":" w\u00f6rld"})")}) {
    checker.feed(event);
  }
  EXPECT_EQ(checker.content(0), "Hello w\xc3\xb6rld");
  EXPECT_EQ(checker.content(1), "");
  EXPECT_FALSE(checker.done_seen());
  checker.feed(error);
  EXPECT_TRUE(checker.error_seen());
}

TEST(StreamChecker, names_each_violation) {
  struct Case {
    Events events;
    std::string violation;
    Usage usage = Usage::not_asked;
  };
  const std::string tool_begin =
      R"({"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]})";
  for (const Case& c : {
           Case{{}, "event 0: the body ends without [DONE] and without an error"},
           Case{{begin, hello, stop}, "event 3: the body ends without [DONE] and without an error"},
           Case{{begin, hello, done}, "event 3: [DONE] while choice 0 is not finished"},
           Case{{done}, "event 1: [DONE] without any choice"},
           Case{{begin, stop, done, done}, "event 4: an event follows [DONE]"},
           Case{{begin, stop, done, error}, "event 4: an event follows [DONE]"},
           Case{{begin, error, done}, "event 3: [DONE] follows an error"},
           Case{{begin, error, error}, "event 3: an event follows an error"},
           Case{{begin, "", stop, done},
                "event 2: the data is not a JSON object: the document ends too early at byte 0"},
           Case{{begin, delta(R"({"role":""})"), stop, done}, "event 2: choice 0 has an empty role"},
           Case{{begin, stop, hello, done}, "event 3: choice 0 goes on after its finish reason"},
           Case{{begin, stop, stop, done}, "event 3: choice 0 goes on after its finish reason"},
           Case{{begin, delta(R"({"content":5})"), stop, done}, "event 2: choice 0 has a content that is not a text"},
           Case{{begin, delta("{}", R"("")"), stop, done},
                "event 2: choice 0 has a finish_reason that is neither null nor a text"},
           Case{{begin, chunk(R"([{"index":0,"delta":{}}])"), stop, done}, "event 2: choice 0 has no finish_reason"},
           Case{{begin, chunk(R"([{"index":0,"finish_reason":null}])"), stop, done}, "event 2: choice 0 has no delta"},
           Case{{begin, chunk(R"([{"delta":{},"finish_reason":null}])"), stop, done}, "event 2: a choice has no index"},
           Case{{begin, chunk("[1]"), stop, done}, "event 2: a choice is not an object"},
           Case{{begin, chunk("null"), stop, done}, "event 2: 'choices' is not an array"},
           Case{{begin, chunk("[]"), stop, done}, "event 2: a chunk without choices"},
           Case{{begin, chunk(R"([{"index":0,"delta":{},"finish_reason":null}])", R"(,"id":"chatcmpl-1")"), stop, done},
                "event 2: 'id' is given twice"},
           Case{{begin,
                 R"({"id":"other","object":"chat.completion.chunk","created":1,"model":"m",)"
                 R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})",
                 done},
                R"(event 2: 'id' changes from "chatcmpl-1" to "other")"},
           Case{{begin,
                 R"({"object":"chat.completion.chunk","created":1,"model":"m",)"
                 R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})",
                 done},
                "event 2: 'id' is missing, empty or of a wrong type"},
           Case{{begin,
                 R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m",)"
                 R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})",
                 done},
                "event 2: 'object' is not \"chat.completion.chunk\""},
           Case{{begin, with_usage(R"([{"index":0,"delta":{},"finish_reason":"stop"}])", "null"), done},
                "event 2: a usage member that nobody asked for"},
           Case{
               {with_usage(whole, "null"), done}, "event 2: [DONE] without the usage that was asked for", Usage::asked},
           Case{{chunk(whole), with_usage("[]", counts), done},
                "event 1: no usage member, though usage was asked for",
                Usage::asked},
           Case{{with_usage(whole, counts), with_usage("[]", counts), done},
                "event 1: usage must be null beside choices, and an object without them",
                Usage::asked},
           Case{{with_usage(whole, "null"), with_usage("[]", counts), with_usage("[]", counts), done},
                "event 3: a second usage",
                Usage::asked},
           Case{{with_usage(whole, "null"), with_usage("[]", R"({"prompt_tokens":1})"), done},
                "event 2: the usage lacks its counts",
                Usage::asked},
           Case{{delta(R"({"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f"}}]})", R"("tool_calls")"),
                 done},
                "event 1: choice 0 has a tool call without an index"},
           Case{{delta(R"({"role":"assistant","tool_calls":{}})", R"("tool_calls")"), done},
                "event 1: choice 0 has tool_calls that are not an array"},
           Case{{delta(R"({"role":"assistant","tool_calls":[7]})", R"("tool_calls")"), done},
                "event 1: choice 0 has a tool call that is not an object"},
           Case{{delta(R"({"role":"assistant","tool_calls":[{"index":1,"id":"a","function":{"name":"f"}}]})",
                       R"("tool_calls")"),
                 done},
                "event 1: choice 0 has tool call 1 where 0 is the next"},
           Case{{delta(R"({"role":"assistant","tool_calls":[{"index":0,"function":{"name":"f"}}]})", R"("tool_calls")"),
                 done},
                "event 1: tool call 0 of choice 0 begins without its id"},
           Case{{delta(R"({"role":"assistant","tool_calls":[{"index":0,"id":"a","function":{}}]})", R"("tool_calls")"),
                 done},
                "event 1: tool call 0 of choice 0 begins without its name"},
           Case{{delta(tool_begin), delta(R"({"tool_calls":[{"index":0,"id":"a"}]})", R"("tool_calls")"), done},
                "event 2: tool call 0 of choice 0 repeats its id"},
           Case{{delta(tool_begin), delta(R"({"tool_calls":[{"index":0,"function":{"name":"f"}}]})", R"("tool_calls")"),
                 done},
                "event 2: tool call 0 of choice 0 repeats its name"},
           Case{{R"({"error":"boom"})"}, "event 1: the error is not an object"},
           Case{{R"({"error":{"message":"boom","type":"t","code":null}})"}, "event 1: the error's 'param' is missing"},
           Case{{R"({"error":{"message":"boom","type":"t","param":null,"code":429}})"},
                "event 1: the error's 'code' is of a wrong type"},
       }) {
    EXPECT_EQ(violations_of(c.events, c.usage), Events{c.violation});
  }
}

TEST(StreamChecker, refuses_choices_behind_the_usage) {
  const auto violations =
      violations_of({with_usage(whole, "null"), with_usage("[]", counts),
                     with_usage(R"([{"index":1,"delta":{"role":"assistant"},"finish_reason":"stop"}])", "null"), done},
                    Usage::asked);
  EXPECT_EQ(violations, Events{"event 3: choices come after the usage"});
}

}  // namespace
}  // namespace weir::openai
