#include "dialects/openai/reply.hpp"

#include <gtest/gtest.h>

#include <string>

#include "dialects/openai/stream.hpp"

namespace weir::openai {
namespace {

TEST(ReplyFacts, a_whole_completion_is_read) {
  const ReplyFacts facts = inspect_reply(
      R"({"id":"chatcmpl-B1","object":"chat.completion","created":1760000000,"model":"gpt-4o","choices":[)"
      R"({"index":0,"message":{"role":"assistant","content":"Paris.","refusal":null},"logprobs":null,"finish_reason":"stop"},)"
      R"({"index":1,"message":{"role":"assistant","content":"Par"},"finish_reason":"length"}],)"
      R"("usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,)"
      R"("prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":6}}})");
  EXPECT_FALSE(facts.malformed);
  EXPECT_FALSE(facts.error);
  EXPECT_EQ(facts.usage, (llm::Usage{19, 10, 0, std::nullopt, 6}));
}

TEST(ReplyFacts, the_tier_of_service_is_what_was_given) {
  EXPECT_EQ(inspect_reply(R"({"choices":[],"service_tier":"flex"})").service_tier, "flex");
  EXPECT_EQ(inspect_reply(R"({"choices":[],"service_tier":null})").service_tier, "");
  EXPECT_EQ(inspect_chunk(R"({"choices":[],"service_tier":"priority"})").service_tier_raw, "priority");
  EXPECT_EQ(inspect_chunk(R"({"choices":[],"service_tier":7})").service_tier_raw, "");
}

TEST(ReplyFacts, the_last_usage_counts_and_a_broken_one_is_no_json) {
  EXPECT_EQ(inspect_reply(R"({"choices":[],"usage":{"prompt_tokens":1},"usage":{"completion_tokens":2}})").usage,
            (llm::Usage{std::nullopt, 2, std::nullopt, std::nullopt, std::nullopt}));
  EXPECT_EQ(inspect_reply(R"({"choices":[],"usage":{"prompt_tokens":1},"usage":null})").usage, std::nullopt);
  EXPECT_EQ(inspect_reply(R"({"choices":[],"usage":7})").usage, std::nullopt);
  EXPECT_EQ(inspect_reply(R"({"choices":[],"usage":{"prompt_tokens_details":null}})").usage, llm::Usage{});
  const ReplyFacts broken = inspect_reply(R"({"usage":{"prompt_tokens_details":{"cached_tokens":4,}},"choices":[]})");
  EXPECT_TRUE(broken.malformed);
  EXPECT_EQ(broken.malformed_why, "a member's name in double quotes is expected");
  EXPECT_EQ(broken.usage, std::nullopt);
}

TEST(ReplyFacts, usage_is_read_in_the_words_of_several_providers) {
  const auto usage = [](const char* members) {
    return inspect_reply(std::string(R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,)") + members +
                         "}}")
        .usage.value_or(llm::Usage{});
  };
  EXPECT_EQ(usage(R"("prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3})"),
            (llm::Usage{9, 2, 4, 3, std::nullopt}));
  EXPECT_EQ(usage(R"("prompt_cache_hit_tokens":5,"prompt_cache_miss_tokens":4)"),
            (llm::Usage{9, 2, 5, std::nullopt, std::nullopt}));
  EXPECT_EQ(usage(R"("prompt_cache_hit_tokens":5,"prompt_tokens_details":{"cached_tokens":6})").cached_input_tokens, 6);
  const llm::Usage media = usage(R"("prompt_tokens_details":{"audio_tokens":3,"image_tokens":2,"video_tokens":4},)"
                                 R"("completion_tokens_details":{"image_tokens":1,"audio_tokens":2})");
  EXPECT_EQ(media.audio_input_tokens, 3);
  EXPECT_EQ(media.image_input_tokens, 6);
  EXPECT_EQ(media.audio_output_tokens, 2);
  EXPECT_EQ(media.image_output_tokens, 1);
  EXPECT_EQ(usage(R"("prompt_tokens_details":{"audio_tokens":-7,"image_tokens":null})"),
            (llm::Usage{9, 2, std::nullopt, std::nullopt, std::nullopt}));
  // Counts below zero are none, in whatever place.
  EXPECT_EQ(inspect_reply(R"({"choices":[],"usage":{"prompt_tokens":-500,"completion_tokens":-1,)"
                          R"("prompt_tokens_details":{"cached_tokens":-2},)"
                          R"("completion_tokens_details":{"reasoning_tokens":-3}}})")
                .usage.value_or(llm::Usage{}),
            llm::Usage{});
  const llm::Usage written =
      usage(R"("prompt_tokens_details":{"cache_creation_tokens":5,"cache_creation_token_details":)"
            R"({"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}})");
  EXPECT_EQ(written.cache_write_tokens, 5);
  EXPECT_EQ(written.cache_write_hour_tokens, 3);
}

TEST(ReplyFacts, an_answer_without_choices_is_none_the_less_a_completion) {
  EXPECT_FALSE(inspect_reply(R"({"choices":[ ]})").malformed);
}

TEST(ReplyFacts, an_error_needs_no_choices) {
  const ReplyFacts facts = inspect_reply(R"({"error":{"message":"No.","type":"t","param":null,"code":"c"}})");
  EXPECT_FALSE(facts.malformed);
  ASSERT_TRUE(facts.error);
  EXPECT_EQ(facts.error->message, "No.");
  EXPECT_FALSE(inspect_reply(R"({"error":null,"choices":[]})").error);
}

TEST(ReplyFacts, what_is_no_completion_is_malformed_and_says_why) {
  struct Case {
    std::string_view body;
    std::string_view why;
  };
  for (const Case& c : {
           Case{"", "the document ends too early"},
           Case{"<html>", "an object is expected"},
           Case{"[]", "an object is expected"},
           Case{R"({"choices":[{"finish_reason":"stop"}])", "the document ends too early"},
           Case{R"({})", "choices is not an array"},
           Case{R"({"choices":null})", "choices is not an array"},
           Case{R"({"error":null})", "choices is not an array"},
           Case{R"({"choices":["x"]})", "a choice is not an object"},
       }) {
    const ReplyFacts facts = inspect_reply(c.body);
    EXPECT_TRUE(facts.malformed) << c.body;
    EXPECT_EQ(facts.malformed_why, c.why) << c.body;
    EXPECT_FALSE(facts.error || facts.usage) << c.body;
  }
}

}  // namespace
}  // namespace weir::openai
