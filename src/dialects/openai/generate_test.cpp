// Prompt and text, told as chat and back.
#include "dialects/openai/generate.hpp"

#include <gtest/gtest.h>

#include "dialects/openai/request.hpp"

namespace weir::openai {
namespace {

std::string param_refused(std::string_view body) {
  const auto chat = chat_body_of_generate(body);
  return chat ? "accepted" : chat.error().param;
}

TEST(Generate, the_prompt_is_a_users_message_and_the_rest_goes_along_as_its_bytes) {
  const auto chat = chat_body_of_generate(
      "{ \"model\" : \"m\" , \"prompt\":\"a\\u0041\\ud83d\" ,\"temperature\" : 0.70,\"x\" : {\"prompt\": 1e999 }, "
      "\"\":[ ] }");
  ASSERT_TRUE(chat);
  EXPECT_EQ(*chat,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0041\\ud83d\"}],\"model\" : \"m\",\"temperature\" : "
            "0.70,\"x\" : {\"prompt\": 1e999 },\"\":[ ]}");
  const auto request = read_chat_request(*chat);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->model, "m");
  EXPECT_EQ(*chat_body_of_generate(R"({"prompt":""})"), R"({"messages":[{"role":"user","content":""}]})");
  EXPECT_EQ(param_refused(R"({"prompt":"a","n":1.0})"), "accepted");
}

TEST(Generate, what_it_cannot_mean_is_refused_by_name) {
  EXPECT_EQ(param_refused(R"({"model":"m"})"), "prompt");
  EXPECT_EQ(param_refused(R"({"prompt":null})"), "prompt");
  EXPECT_EQ(param_refused(R"({"prompt":["a"]})"), "prompt");
  EXPECT_EQ(param_refused(R"({"prompt":"a","pr\u006fmpt":"b"})"), "prompt");
  EXPECT_EQ(param_refused(R"({"prompt":"a","messages":[]})"), "messages");
  EXPECT_EQ(param_refused(R"({"prompt":"a","n":2})"), "n");
  for (const std::string_view broken : {"", "[]", R"({"prompt":"a")", R"({"prompt":"a"} x)"}) {
    EXPECT_FALSE(chat_body_of_generate(broken)) << broken;
  }
}

TEST(Generate, a_whole_answer_has_exactly_the_six_members) {
  EXPECT_EQ(generate_reply(R"({"id":"c-1","model":"gpt","choices":[{"index":0,"message":{"role":"assistant",)"
                           R"("content":"g\u0072\"\ud83d"},"finish_reason":"stop"}],"usage":{"total_tokens": 3}})",
                           false),
            R"({"id":"c-1","model":"gpt","text":"g\u0072\"\ud83d","finish_reason":"stop","usage":{"total_tokens": 3},)"
            R"("cached":false})");
  EXPECT_EQ(generate_reply(R"({"choices":[]})", true),
            R"({"id":null,"model":null,"text":"","finish_reason":null,"usage":null,"cached":true})");
  EXPECT_EQ(generate_reply(R"({"choices":[{"message":{"content":null}}]})", false),
            R"({"id":null,"model":null,"text":"","finish_reason":null,"usage":null,"cached":false})");
  EXPECT_EQ(generate_reply(R"({"choices":[)", false), std::nullopt);
}

TEST(Generate, a_chunk_with_text_is_an_event_and_another_is_none) {
  const auto event = [](std::string_view delta) {
    std::string out;
    append_generate_event(out, R"({"choices":[{"index":0,"delta":)" + std::string(delta) + "}]}");
    return out;
  };
  EXPECT_EQ(event(R"({"content":"a\n\u00e9"})"), "data: {\"text\":\"a\\n\\u00e9\"}\n\n");
  EXPECT_EQ(event(R"({"content":[{"type":"text","text":"a"},{"type":"x"},{"text":"b"}]})"),
            "data: {\"text\":\"ab\"}\n\n");
  EXPECT_EQ(event(R"({"role":"assistant","content":""})"), "");
  EXPECT_EQ(event(R"({"reasoning_content":"hm"})"), "");
  EXPECT_EQ(event("null"), "");
  std::string out;
  append_generate_event(out, R"({"choices":[],"usage":{}})");
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace weir::openai
