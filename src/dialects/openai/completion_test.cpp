// Legacy completions and embeddings: what is read of their requests, events and replies.
#include <gtest/gtest.h>

#include "dialects/openai/operation.hpp"

namespace weir::openai {
namespace {

Request completion(std::string_view body) {
  auto request = read_completion_request(body);
  EXPECT_TRUE(request) << (request ? "" : request.error().message);
  return request.value_or(Request{});
}

TEST(CompletionRequest, reads_what_a_chat_request_has_too) {
  const Request request = completion(
      R"({"prompt":"hi","model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":1.6e1,"n":2})");
  EXPECT_EQ(request.model, "m");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_EQ(request.max_tokens, 16);
  EXPECT_EQ(request.choices_asked(), 2);
}

TEST(CompletionRequest, each_prompt_of_a_list_has_its_own_choices) {
  EXPECT_EQ(completion(R"({"prompt":["a","b","c"],"n":2})").choices_asked(), 6);
  EXPECT_EQ(completion(R"({"prompt":[1,2,3]})").choices_asked(), 1) << "a list of tokens is one prompt";
  EXPECT_EQ(completion(R"({"prompt":[[1,2],[3]]})").choices_asked(), 2);
  EXPECT_EQ(completion(R"({"prompt":[]})").choices_asked(), 1);
  EXPECT_EQ(completion(R"({})").choices_asked(), 1);
  EXPECT_EQ(completion(R"({"prompt":"a","n":-3})").choices_asked(), 1);
  EXPECT_GT(completion(R"({"prompt":["a","b"],"n":99999999999999999999})").choices_asked(), 1000);
}

TEST(CompletionRequest, refuses_a_second_spelling_of_what_it_reads) {
  for (const std::string_view body : {R"({"prompt":"a","pr\u006fmpt":"b"})", R"({"model":"a","model":"b"})",
                                      R"({"n":1,"n":1})", R"({"stream":true,"stream":true})"}) {
    EXPECT_FALSE(read_completion_request(body)) << body;
  }
  EXPECT_TRUE(read_completion_request(R"({"messages":1,"messages":2})")) << "not read here, so not ours to judge";
}

TEST(EmbeddingRequest, reads_the_model_and_the_encoding_and_nothing_else) {
  const auto format = [](std::string_view body) { return read_embedding_request(body)->encoding_format; };
  EXPECT_EQ(format(R"({"input":"a"})"), EncodingFormat::absent);
  EXPECT_EQ(format(R"({"input":"a","encoding_format":null})"), EncodingFormat::absent);
  EXPECT_EQ(format(R"({"encoding_format":"float","input":[1,2]})"), EncodingFormat::floats);
  EXPECT_EQ(format(R"({"encoding\u005fformat":"b\u0061se64"})"), EncodingFormat::base64);
  EXPECT_EQ(format(R"({"encoding_format":"int8"})"), EncodingFormat::other);
  EXPECT_EQ(format(R"({"encoding_format":7})"), EncodingFormat::other);
  EXPECT_FALSE(read_embedding_request(R"({"encoding_format":"float","encoding_format":"base64"})"));
  const auto request = read_embedding_request(R"({"stream":true,"model":"m","input":"x"})");
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->stream) << "embeddings are never streamed";
  EXPECT_EQ(request->model, "m");
}

TEST(CompletionChunk, text_or_a_finish_reason_is_content) {
  const auto facts = [](std::string_view choices) {
    return inspect_completion_chunk(R"({"id":"c","object":"text_completion","choices":)" + std::string(choices) + "}");
  };
  EXPECT_TRUE(facts(R"([{"text":" hi","index":0,"logprobs":null,"finish_reason":null}])").content_bearing);
  EXPECT_FALSE(facts(R"([{"text":"","index":0,"logprobs":null,"finish_reason":null}])").content_bearing);
  EXPECT_FALSE(facts(R"([{"text":"","index":0,"finish_reason":""}])").content_bearing);
  EXPECT_TRUE(facts(R"([{"text":"","index":0,"finish_reason":"stop"}])").content_bearing);
  EXPECT_TRUE(facts(R"([{"text":"","index":3,"finish_reason":"length"}])").finished.test(3));
  EXPECT_FALSE(facts(R"([{"delta":{"content":"x"},"index":0}])").content_bearing) << "that is chat's";
  EXPECT_TRUE(facts(R"([{"text":7,"index":0}])").malformed);
  EXPECT_TRUE(facts(R"([{"text":"a","index":-1}])").malformed);
  EXPECT_TRUE(facts(R"([{"text":"a","index":262144}])").malformed);
  EXPECT_TRUE(facts("7").malformed);
  EXPECT_TRUE(facts("[7]").malformed);
}

TEST(CompletionChunk, usage_and_errors_are_read_as_of_chat) {
  const ChunkFacts usage =
      inspect_completion_chunk(R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}})");
  EXPECT_TRUE(usage.usage_only);
  EXPECT_EQ(usage.usage->output_tokens, 4);
  EXPECT_TRUE(inspect_completion_chunk(R"({"error":{"message":"no"}})").error);
  EXPECT_TRUE(inspect_completion_chunk("[DONE]").done);
}

TEST(CompletionStream, choices_beyond_the_set_are_counted) {
  ChatStream stream(UsageView::hidden);
  const auto finish = [&](int index) {
    return stream.take(inspect_completion_chunk(R"({"choices":[{"text":"","index":)" + std::to_string(index) +
                                                R"(,"finish_reason":"stop"}]})"));
  };
  for (int index = 0; index < 300; ++index) {
    EXPECT_EQ(stream.choices_finished(), static_cast<std::size_t>(index));
    finish(index);
  }
  EXPECT_TRUE(stream.all_finished());
}

TEST(CompletionStream, the_inspector_reads_repeated_events_as_the_function_does) {
  ChunkInspector inspector(inspect_completion_chunk);
  for (const std::string_view text : {"a", "b", "", "c", R"(d\")", "e"}) {
    for (const std::string_view reason : {"null", R"("stop")", "null"}) {
      const std::string data = R"({"id":"c","choices":[{"text":")" + std::string(text) +
                               R"(","index":0,"finish_reason":)" + std::string(reason) + "}]}";
      const ChunkFacts fast = inspector.inspect(data);
      const ChunkFacts slow = inspect_completion_chunk(data);
      EXPECT_EQ(fast.content_bearing, slow.content_bearing) << data;
      EXPECT_EQ(fast.finished, slow.finished) << data;
      EXPECT_EQ(fast.id_raw, slow.id_raw) << data;
    }
  }
}

TEST(EmbeddingReply, is_a_list_of_objects_or_an_error) {
  const ReplyFacts facts = inspect_embeddings(
      R"({"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":8,"total_tokens":8}})");
  EXPECT_FALSE(facts.malformed);
  EXPECT_EQ(facts.usage->input_tokens, 8);
  EXPECT_FALSE(inspect_embeddings(R"({"data":[]})").malformed);
  EXPECT_TRUE(inspect_embeddings(R"({"data":[7]})").malformed);
  EXPECT_TRUE(inspect_embeddings(R"({"choices":[]})").malformed);
  EXPECT_TRUE(inspect_embeddings(R"({"data":[{"embedding":[0.5)").malformed);
  EXPECT_EQ(inspect_embeddings(R"({"error":{"message":"no"}})").error->message, "no");
}

}  // namespace
}  // namespace weir::openai
