#include "dialects/openai/usage_scanner.hpp"

#include <gtest/gtest.h>

#include <string>

#include "dialects/openai/reply.hpp"

namespace weir::openai {
namespace {

std::optional<llm::Usage> scanned(std::string_view text, std::size_t cut) {
  UsageScanner scanner;
  scanner.feed(std::string(text.substr(0, cut)));
  scanner.feed(std::string(text.substr(cut)));
  return scanner.usage();
}

TEST(UsageScanner, finds_what_the_whole_reply_says_wherever_it_is_cut) {
  for (
      const std::string_view text : {
          R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})",
          R"( { "usage" : {"prompt_tokens":7,"completion_tokens_details":{"reasoning_tokens":4}} , "data":[1.5,-2],"choices":[]})",
          R"({"usage":{"prompt_tokens":1},"choices":[{"usage":{"prompt_tokens":9},"text":"\"usage\":{\"prompt_tokens\":8}"}]})",
          R"({"choices":[],"list":["usage",":",{"usage":{"prompt_tokens":9}}],"a\"usage":{"prompt_tokens":9},"x":"usage"})",
          R"({"choices":[],"usage":null})",
          R"({"choices":[],"usage":{}})",
          R"({"usage":{"prompt_tokens":1},"choices":[],"usage":{"prompt_tokens":2}})",
          R"({"choices":[],"model":"\\","usage":{"prompt_tokens":3}})",
          R"({"choices":[],"usages":{"prompt_tokens":3},"usag":{"prompt_tokens":3}})",
      }) {
    const ReplyFacts facts = inspect_reply(text);
    ASSERT_FALSE(facts.malformed) << text;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      ASSERT_EQ(scanned(text, cut), facts.usage) << text << " cut at " << cut;
    }
    UsageScanner bytewise;
    for (const char c : text) {
      bytewise.feed(std::string(1, c));
    }
    EXPECT_EQ(bytewise.usage(), facts.usage) << text;
  }
}

TEST(UsageScanner, keeps_no_more_than_its_bound_and_fails_on_nothing) {
  UsageScanner scanner;
  scanner.feed(R"({"usage":{"x":")");
  for (int i = 0; i < 100; ++i) {
    scanner.feed(std::string(1000, 'a'));
  }
  scanner.feed(R"("},"usage":{"prompt_tokens":5}})");
  ASSERT_TRUE(scanner.usage());
  EXPECT_EQ(scanner.usage()->input_tokens, 5);
  for (const std::string_view text : {"}}}}", R"("usage":{"prompt_tokens":1}})", R"([{"usage":{"prompt_tokens":1}}])",
                                      R"({"usage":)", R"({"usage":{"prompt_tokens":1)", "\\\"\\", ""}) {
    EXPECT_EQ(scanned(text, text.size() / 2), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace weir::openai
