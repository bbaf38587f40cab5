#include "text/string_pieces.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace weir::text {
namespace {

/// The text of the pieces; "broken" where it cannot be expressed, "half" where its end is missing.
std::string joined(std::initializer_list<std::string_view> pieces) {
  StringPieces reader;
  std::string out;
  for (const std::string_view piece : pieces) {
    if (!reader.append(piece, out)) {
      return "broken";
    }
  }
  return reader.whole() ? out : "half";
}

TEST(StringPieces, pieces_join_to_the_text_that_one_string_would_have) {
  EXPECT_EQ(joined({}), "");
  EXPECT_EQ(joined({"", "a", "", "bc"}), "abc");
  EXPECT_EQ(joined({"a\\n", "\\u0041\\\"\\\\", "\\/x"}), "a\nA\"\\/x");
  EXPECT_EQ(joined({"\xc3\xa9", "\\u00e9", "\\u20AC"}), "\xc3\xa9\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(joined({"a\\ud83d\\ude00b"}),
            "a\xf0\x9f\x98\x80"
            "b");
}

TEST(StringPieces, a_character_may_be_cut_between_its_halves) {
  EXPECT_EQ(joined({"a\\uD83D", "\\uDE00", "b"}),
            "a\xf0\x9f\x98\x80"
            "b");
  EXPECT_EQ(joined({"\\ud83d", "\\ude00x\\ud83d", "\\ude01"}), "\xf0\x9f\x98\x80x\xf0\x9f\x98\x81");
  EXPECT_EQ(joined({"a\\ud83d"}), "half");
}

TEST(StringPieces, a_half_without_its_other_half_is_no_text) {
  EXPECT_EQ(joined({"\\ude00"}), "broken");
  EXPECT_EQ(joined({"\\ud83d", "x"}), "broken");
  EXPECT_EQ(joined({"\\ud83d", "\\n"}), "broken");
  EXPECT_EQ(joined({"\\ud83d", "\\u0041"}), "broken");
  EXPECT_EQ(joined({"\\ud83d", "\\ud83d"}), "broken");
  EXPECT_EQ(joined({"\\ud83dabcde\\\\"}), "broken");
  EXPECT_EQ(joined({"\\ud83d\\n"}), "broken");
  EXPECT_EQ(joined({"\\ud83d\\u0041"}), "broken");
}

TEST(StringPieces, a_step_tells_how_far_it_read) {
  StringPieces reader;
  const std::string_view raw = "ab\\n\\ud83d\\ude00c";
  std::size_t at = 0;
  for (const std::size_t size : {2U, 2U, 12U, 1U}) {
    const StringPieces::Step step = reader.step(raw.substr(at));
    EXPECT_FALSE(step.broken);
    EXPECT_EQ(step.raw, size);
    at += step.raw;
  }
  EXPECT_EQ(at, raw.size());
}

}  // namespace
}  // namespace weir::text
