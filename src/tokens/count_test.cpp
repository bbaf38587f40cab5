#include "tokens/count.hpp"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "tokens/chat.hpp"
#include "tokens/counting_thread.hpp"

namespace weir::tokens {
namespace {

constexpr auto soon_enough = std::chrono::seconds(60);  // never reached, but by a bug

CountingThread::Abandoned wanted() {
  return std::make_shared<std::atomic<bool>>(false);
}

CountJob hello() {
  return {.encoding = Encoding::o200k_base,
          .prompt_in = PromptIn::messages,
          .request = R"({"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]})",
          .reply = {},
          .texts = {"hello world", "tokenizers"}};
}

TEST(Count, adds_up_a_prompt_and_what_was_answered) {
  Vocabularies vocabularies;
  const std::atomic<bool> abandoned = false;
  EXPECT_EQ(count(vocabularies, hello(), abandoned), (Count{.input = 8, .output = 4, .exact = true}));

  CountJob whole = hello();
  whole.encoding = Encoding::cl100k_base;
  whole.texts.clear();
  whole.reply = R"({"choices":[{"index":0,"message":{"role":"assistant","content":"hello world"}},)"
                R"({"index":1,"message":{"content":null,"reasoning_content":"hello","refusal":"Hello, world!"}}]})";
  EXPECT_EQ(count(vocabularies, whole, abandoned), (Count{.input = 8, .output = 2 + 1 + 4, .exact = true}));

  whole.request = R"({"input":["hello world","hello"]})";
  whole.prompt_in = PromptIn::input;
  whole.reply = R"({"choices":[{"text":"hello world"}]})";
  EXPECT_EQ(count(vocabularies, whole, abandoned), (Count{.input = 3, .output = 2, .exact = true}));
}

TEST(Count, of_tool_calls_is_not_exact) {
  Vocabularies vocabularies;
  const std::atomic<bool> abandoned = false;
  CountJob job = hello();
  job.reply = R"({"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]})";
  const auto counted = count(vocabularies, job, abandoned);
  ASSERT_TRUE(counted);
  EXPECT_FALSE(counted->exact);
  EXPECT_GT(counted->output, 4);
}

TEST(Count, is_estimated_without_a_vocabulary) {
  EXPECT_EQ(estimate_chat(R"({"messages":[{"role":"user","content":"Hello"}]})"), 3 + 3 + 1 + 2);
  EXPECT_EQ(estimate_prompt(R"({"prompt":"hello world"})", "prompt"), 3);
  EXPECT_EQ(estimate_reply(R"({"choices":[{"message":{"content":"hello world"}}]})"), 3);
  EXPECT_EQ(estimate_reply(R"({"object":"list"})"), 0);
}

TEST(CountingThread, counts_what_it_is_given_and_reads_the_vocabularies_again_when_they_were_given_back) {
  CountingThread counting({.vocabularies_kept = std::chrono::seconds(0)});
  for (int i = 0; i < 3; ++i) {
    std::promise<std::optional<Count>> told;
    ASSERT_TRUE(counting.submit(hello(), wanted(), [&told](std::optional<Count> got) { told.set_value(got); }));
    auto answer = told.get_future();
    ASSERT_EQ(answer.wait_for(soon_enough), std::future_status::ready);
    EXPECT_EQ(answer.get(), (Count{.input = 8, .output = 4, .exact = true}));
  }
}

TEST(CountingThread, takes_no_more_than_its_bounds_and_leaves_what_nobody_waits_for) {
  CountingThread counting(
      {.queued_max = 2, .queued_bytes_max = 1'000'000, .vocabularies_kept = std::chrono::seconds(1)});
  std::promise<void> begun;
  std::promise<void> go_on;
  auto gate = go_on.get_future().share();
  ASSERT_TRUE(counting.submit(hello(), wanted(), [&](std::optional<Count>) {
    begun.set_value();
    gate.wait();
  }));
  begun.get_future().wait();
  CountJob large = hello();
  large.request.assign(1'000'000, ' ');
  EXPECT_FALSE(counting.submit(std::move(large), wanted(), {}));
  const auto left = wanted();
  std::atomic<int> called = 0;
  std::promise<void> last;
  ASSERT_TRUE(counting.submit(hello(), left, [&](std::optional<Count>) { ++called; }));
  ASSERT_TRUE(counting.submit(hello(), wanted(), [&](std::optional<Count>) { last.set_value(); }));
  EXPECT_FALSE(counting.submit(hello(), wanted(), {}));
  *left = true;
  go_on.set_value();
  ASSERT_EQ(last.get_future().wait_for(soon_enough), std::future_status::ready);
  EXPECT_EQ(called, 0);
  counting.stop();
  EXPECT_FALSE(counting.submit(hello(), wanted(), {}));
}

TEST(CountingThread, ends_in_the_middle_of_a_word_that_is_very_long) {
  // Whoever waits for this to be counted waits for minutes in an unoptimised build: stop() does not.
  CountJob job = hello();
  job.texts = {std::string(std::size_t{48} << 20, 'a')};
  const auto abandoned = wanted();
  std::atomic<bool> told_a_count = false;
  CountingThread counting;
  ASSERT_TRUE(
      counting.submit(std::move(job), abandoned, [&](std::optional<Count> got) { told_a_count = got.has_value(); }));
  counting.stop();
  EXPECT_FALSE(told_a_count);
}

}  // namespace
}  // namespace weir::tokens
