#include "dialects/openai/stream.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace weir::openai {
namespace {

using text::Span;

std::string chunk(std::string_view choices, std::string_view rest = "") {
  return fmt::format(R"({{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":{}{}}})",
                     choices, rest);
}

std::string delta(std::string_view delta_object, std::string_view finish_reason = "null") {
  return chunk(fmt::format(R"([{{"index":0,"delta":{},"finish_reason":{}}}])", delta_object, finish_reason));
}

TEST(ChunkFacts, the_success_terminator_is_recognised_by_its_beginning) {
  EXPECT_TRUE(inspect_chunk("[DONE]").done);
  EXPECT_TRUE(inspect_chunk("[DONE] ").done);
  EXPECT_FALSE(inspect_chunk("[DONE]").malformed);
  EXPECT_FALSE(inspect_chunk(" [DONE]").done);
  EXPECT_TRUE(inspect_chunk(" [DONE]").malformed);
}

TEST(ChunkFacts, what_bears_content_is_the_commit_point) {
  for (const std::string_view bearing : {
           R"({"content":"Hi"})",
           R"({"role":"assistant","content":" "})",
           R"({"c\u006fntent":"\n"})",
           R"({"content":[{"type":"text","text":"Hi"}]})",
           R"({"refusal":"I'm"})",
           R"({"reasoning_content":"Hm"})",
           R"({"content":null,"reasoning":"Hm"})",
           R"({"reasoning_details":[{"type":"reasoning.text"}]})",
           R"({"function_call":{"name":"f"}})",
           R"({"function_call":{"arguments":"{"}})",
           R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]})",
           R"({"tool_calls":[{"index":0,"function":{"arguments":"{"}}]})",
           R"({"tool_calls":[{"index":0},{"index":1,"function":{"arguments":"}"}}]})",
           R"({"tool_calls":[{"index":0,"type":"custom","custom":{"name":"f","input":""}}]})",
           R"({"tool_calls":[{"index":0,"custom":{"input":"x"}}]})",
           R"({"audio":{"id":"audio_1","transcript":"Hi"}})",
           R"({"audio":{"data":"AAAA"}})",
           R"({"images":[{"type":"image_url"}]})",
       }) {
    EXPECT_TRUE(inspect_chunk(delta(bearing)).content_bearing) << bearing;
  }
  for (const std::string_view empty : {
           R"({})",
           R"({"role":"assistant"})",
           R"({"role":"assistant","content":"","refusal":null})",
           R"({"content":null,"tool_calls":null,"audio":null,"function_call":null,"images":null})",
           R"({"content":[]})",
           R"({"refusal":""})",
           R"({"reasoning_content":"","reasoning":null,"reasoning_details":[]})",
           R"({"function_call":{"name":"","arguments":""}})",
           R"({"tool_calls":[]})",
           R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"arguments":""}}]})",
           R"({"audio":{"id":"audio_1","transcript":"","expires_at":1}})",
           R"({"images":[ ]})",
           R"({"unknown":"text","name":"f","arguments":"x"})",
       }) {
    EXPECT_FALSE(inspect_chunk(delta(empty)).content_bearing) << empty;
  }
}

TEST(ChunkFacts, a_finish_reason_bears_content_too) {
  const ChunkFacts facts = inspect_chunk(delta("{}", R"("stop")"));
  EXPECT_TRUE(facts.content_bearing);
  EXPECT_TRUE(facts.finished.test(0));
  EXPECT_FALSE(inspect_chunk(delta("{}", R"("")")).finished.any());
  EXPECT_FALSE(inspect_chunk(delta("{}")).finished.any());
  EXPECT_TRUE(inspect_chunk(delta("{}")).choices.test(0));
}

TEST(ChunkFacts, each_choice_is_tracked_by_its_index) {
  const ChunkFacts facts = inspect_chunk(
      chunk(R"([{"index":2,"delta":{"content":"a"},"finish_reason":null},{"finish_reason":"stop","index":127}])"));
  EXPECT_FALSE(facts.malformed);
  EXPECT_EQ(facts.choices.count(), 2u);
  EXPECT_TRUE(facts.choices.test(2));
  EXPECT_TRUE(facts.choices.test(127));
  EXPECT_EQ(facts.finished.count(), 1u);
  EXPECT_TRUE(facts.finished.test(127));
  EXPECT_TRUE(inspect_chunk(chunk(R"([{"delta":{}}])")).choices.test(0));
}

TEST(ChunkFacts, one_choice_with_content_suffices_wherever_it_stands) {
  EXPECT_TRUE(inspect_chunk(chunk(R"([{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{}}])")).content_bearing);
  EXPECT_TRUE(inspect_chunk(chunk(R"([{"index":0,"delta":{}},{"index":1,"delta":{"content":"a"}}])")).content_bearing);
}

TEST(ChunkFacts, what_breaks_the_grammar_is_malformed_and_says_why) {
  struct Case {
    std::string data;
    std::string_view why;
  };
  for (const Case& c : {
           Case{"", "the document ends too early"},
           Case{"DONE", "an object is expected"},
           Case{"[]", "an object is expected"},
           Case{"null", "an object is expected"},
           Case{R"({"choices":[)", "the document ends too early"},
           Case{"{\"choices\":[],\"x\":\"\xff\"}", "these bytes are not UTF-8"},
           Case{chunk("{}"), "choices is not an array"},
           Case{chunk("\"x\""), "choices is not an array"},
           Case{chunk("[1]"), "a choice is not an object"},
           Case{chunk("[{},null]"), "a choice is not an object"},
           Case{chunk(R"([{"delta":"x"}])"), "a delta is not an object"},
           Case{chunk(R"([{"index":-1,"delta":{}}])"), "a choice's index is not an integer from 0 to 127"},
           Case{chunk(R"([{"index":128,"delta":{}}])"), "a choice's index is not an integer from 0 to 127"},
           Case{chunk(R"([{"index":"0","delta":{}}])"), "a choice's index is not an integer from 0 to 127"},
       }) {
    const ChunkFacts facts = inspect_chunk(c.data);
    EXPECT_TRUE(facts.malformed) << c.data;
    EXPECT_EQ(facts.malformed_why, c.why) << c.data;
    EXPECT_FALSE(facts.content_bearing || facts.choices.any() || facts.usage_member || facts.error) << c.data;
  }
  EXPECT_FALSE(inspect_chunk(R"({"id":"x"})").malformed);
  EXPECT_FALSE(inspect_chunk(chunk("null")).malformed);
  EXPECT_FALSE(inspect_chunk(chunk(R"([{"delta":null}])")).malformed);
}

TEST(ChunkFacts, an_error_event_is_told_with_its_words) {
  const ChunkFacts facts =
      inspect_chunk(R"({"error":{"message":"boom","type":"server_error","param":null,"code":"c"}})");
  ASSERT_TRUE(facts.error);
  EXPECT_FALSE(facts.malformed);
  EXPECT_EQ(facts.error->message, "boom");
  EXPECT_EQ(facts.error->code, "c");
  EXPECT_EQ(facts.error->type, "server_error");
  EXPECT_FALSE(inspect_chunk(chunk("[]", R"(,"error":null)")).error);
}

TEST(ChunkFacts, id_and_model_are_told_as_sent) {
  const ChunkFacts facts = inspect_chunk(R"({"id":"a\u0062","model":"m","choices":[]})");
  EXPECT_EQ(facts.id_raw, R"(a\u0062)");
  EXPECT_EQ(facts.model_raw, "m");
  EXPECT_EQ(inspect_chunk(R"({"id":5,"choices":[]})").id_raw, "");
}

TEST(ChunkFacts, usage_is_read_with_its_details) {
  const ChunkFacts facts = inspect_chunk(chunk(
      "[]",
      R"(,"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,)"
      R"("prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":3},"completion_tokens_details":{"reasoning_tokens":4}})"));
  EXPECT_EQ(facts.usage, (llm::Usage{19, 10, 8, 3, 4}));
  EXPECT_TRUE(facts.usage_only);
}

TEST(ChunkFacts, a_count_that_was_not_told_is_absent_and_not_zero) {
  EXPECT_EQ(inspect_chunk(chunk("[]", R"(,"usage":{"prompt_tokens":5,"completion_tokens":null,)"
                                      R"("prompt_tokens_details":null,"completion_tokens_details":{}})"))
                .usage,
            (llm::Usage{.input_tokens = 5}));
  EXPECT_EQ(inspect_chunk(chunk("[]", R"(,"usage":{})")).usage, llm::Usage{});
  EXPECT_FALSE(inspect_chunk(chunk("[]", R"(,"usage":null)")).usage);
}

TEST(ChunkFacts, only_a_usage_without_choices_is_usage_only) {
  EXPECT_TRUE(inspect_chunk(chunk("[]", R"(,"usage":{})")).usage_only);
  EXPECT_TRUE(inspect_chunk(R"({"usage":{}})").usage_only);
  EXPECT_FALSE(inspect_chunk(chunk("[]", R"(,"usage":null)")).usage_only);
  EXPECT_FALSE(inspect_chunk(chunk("[]")).usage_only);
  EXPECT_FALSE(inspect_chunk(chunk(R"([{"index":0,"delta":{}}])", R"(,"usage":{})")).usage_only);
  EXPECT_FALSE(inspect_chunk(R"({"error":"x","usage":{}})").usage_only);
}

std::string without_usage(std::string data) {
  const ChunkFacts facts = inspect_chunk(data);
  EXPECT_FALSE(facts.malformed) << data;
  if (facts.usage_member) {
    data.erase(facts.usage_member->offset, facts.usage_member->length);
  }
  return data;
}

TEST(ChunkFacts, cutting_the_usage_member_leaves_the_event_as_it_would_have_been) {
  EXPECT_EQ(without_usage(R"({"id":"a","choices":[],"usage":null})"), R"({"id":"a","choices":[]})");
  EXPECT_EQ(without_usage(R"({"id":"a","usage":null,"choices":[]})"), R"({"id":"a","choices":[]})");
  EXPECT_EQ(without_usage(R"({"usage":{"prompt_tokens":1},"id":"a","choices":[]})"), R"({"id":"a","choices":[]})");
  EXPECT_EQ(without_usage(R"({"usage":null})"), R"({})");
  EXPECT_EQ(without_usage(R"({"id": "a", "usage": null, "choices": []})"), R"({"id": "a", "choices": []})");
  EXPECT_EQ(without_usage(R"({"id": "a", "choices": [], "usage": null})"), R"({"id": "a", "choices": []})");
  EXPECT_EQ(without_usage(R"({ "us\u0061ge" : null , "id" : "a" })"), R"({ "id" : "a" })");
  EXPECT_EQ(without_usage(R"({"id":"a","choices":[{"usage":null}]})"), R"({"id":"a","choices":[{"usage":null}]})");
}

Relay take(ChatStream& stream, std::string_view data) {
  return stream.take(inspect_chunk(data));
}

TEST(ChatStream, tells_where_an_ordinary_stream_stands) {
  ChatStream stream(UsageView::shown);
  EXPECT_EQ(take(stream, delta(R"({"role":"assistant","content":""})")), Relay{});
  EXPECT_FALSE(stream.content_seen());
  EXPECT_FALSE(stream.all_finished());
  take(stream, delta(R"({"content":"Hi"})"));
  EXPECT_TRUE(stream.content_seen());
  EXPECT_FALSE(stream.all_finished());
  take(stream, delta("{}", R"("stop")"));
  EXPECT_TRUE(stream.all_finished());
  EXPECT_FALSE(stream.done_seen());
  take(stream, chunk("[]", R"(,"usage":{"prompt_tokens":1,"completion_tokens":2})"));
  EXPECT_EQ(stream.usage(), (llm::Usage{1, 2}));
  EXPECT_EQ(take(stream, "[DONE]"), Relay{});
  EXPECT_TRUE(stream.done_seen());
  EXPECT_FALSE(stream.error_seen());
  EXPECT_FALSE(stream.malformed_seen());
}

TEST(ChatStream, is_finished_when_every_choice_that_was_seen_is) {
  ChatStream stream(UsageView::shown);
  EXPECT_FALSE(stream.all_finished());
  take(stream, chunk(R"([{"index":1,"delta":{"content":"a"},"finish_reason":null}])"));
  take(stream, chunk(R"([{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}])"));
  EXPECT_FALSE(stream.all_finished());
  EXPECT_EQ(stream.choices_seen(), 2u);
  EXPECT_EQ(stream.choices_finished(), 1u);
  take(stream, chunk(R"([{"index":1,"delta":{},"finish_reason":"length"}])"));
  EXPECT_TRUE(stream.all_finished());
}

TEST(ChatStream, gives_the_caller_nothing_after_a_terminal) {
  ChatStream failed(UsageView::shown);
  EXPECT_EQ(take(failed, R"({"error":{"message":"boom"}})"), Relay{});
  EXPECT_TRUE(failed.error_seen());
  EXPECT_EQ(take(failed, "[DONE]").how, Relay::How::swallow);
  EXPECT_FALSE(failed.done_seen());
  EXPECT_EQ(take(failed, delta(R"({"content":"Hi"})")).how, Relay::How::swallow);
  EXPECT_FALSE(failed.content_seen());

  ChatStream done(UsageView::shown);
  EXPECT_EQ(take(done, "[DONE]"), Relay{});
  EXPECT_EQ(take(done, "[DONE]").how, Relay::How::swallow);
  EXPECT_EQ(take(done, R"({"error":"late"})").how, Relay::How::swallow);
  EXPECT_FALSE(done.error_seen());
}

TEST(ChatStream, shows_usage_to_a_caller_who_asked_for_it) {
  ChatStream stream(UsageView::shown);
  EXPECT_EQ(take(stream, chunk(R"([{"index":0,"delta":{}}])", R"(,"usage":null)")), Relay{});
  EXPECT_EQ(take(stream, chunk("[]", R"(,"usage":{"prompt_tokens":1})")), Relay{});
}

TEST(ChatStream, hides_usage_from_a_caller_who_did_not_ask_and_still_counts_it) {
  ChatStream stream(UsageView::hidden);
  const std::string data =
      chunk(R"([{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}])", R"(,"usage":null)");
  const Relay relay = take(stream, data);
  EXPECT_EQ(relay.how, Relay::How::cut);
  std::string seen = data;
  EXPECT_EQ(seen.erase(relay.span.offset, relay.span.length),
            chunk(R"([{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}])"));
  EXPECT_EQ(take(stream, chunk(R"([{"index":0,"delta":{}}])", R"(,"usage":{"prompt_tokens":1})")).how, Relay::How::cut);
  EXPECT_EQ(take(stream, delta(R"({"content":"no usage member"})")), Relay{});
  EXPECT_EQ(take(stream, chunk("[]", R"(,"usage":{"prompt_tokens":7})")).how, Relay::How::swallow);
  EXPECT_EQ(stream.usage(), llm::Usage{.input_tokens = 7});
  EXPECT_EQ(take(stream, "[DONE]"), Relay{});
}

TEST(ChatStream, notes_a_malformed_event) {
  ChatStream stream(UsageView::shown);
  take(stream, delta(R"({"content":"Hi"})"));
  take(stream, "{oops");
  EXPECT_TRUE(stream.malformed_seen());
  EXPECT_TRUE(stream.content_seen());
}

}  // namespace
}  // namespace weir::openai
