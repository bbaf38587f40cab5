#include "app/raw_document.hpp"

#include <gtest/gtest.h>

#include <array>

namespace weir::app {
namespace {

TEST(RawDocument, keeps_the_words_of_what_it_was_given) {
  const std::string given = R"({"a":1.00,"é":{"n":123456789012345678901234567890},"b":[ 1e2 ],"c":null})";
  const auto document = RawDocument::parse(given);
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(document->to_json(), given);
  EXPECT_EQ(RawDocument::parse(" { } ")->to_json(), "{}");
  EXPECT_TRUE(RawDocument().empty());
  for (const char* wrong : {"", "[]", "7", "{\"a\":}", "{} {}"}) {
    EXPECT_FALSE(RawDocument::parse(wrong).has_value()) << wrong;
  }
}

TEST(RawDocument, replaces_what_is_there_and_adds_what_is_not) {
  auto document = *RawDocument::parse(R"({"a":1,"b":2})");
  document.set("a", "[3]");
  document.set_text("c", "say \"é\"");
  document.set_texts("d", std::array<std::string, 2>{"x", "y"});
  EXPECT_EQ(document.to_json(), R"({"a":[3],"b":2,"c":"say \"é\"","d":["x","y"]})");
}

}  // namespace
}  // namespace weir::app
