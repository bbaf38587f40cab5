#include "text/utf8.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace weir::text {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, accepts_the_first_and_last_of_each_length) {
  for (const std::string_view text :
       {""sv, "\0"sv, "\x7f"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv, "\xee\x80\x80"sv,
        "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_utf8(text));
    EXPECT_EQ(first_not_utf8(text), std::string_view::npos);
    EXPECT_EQ(utf8_sequence_length(text), text.size());
  }
}

TEST(Utf8, refuses_overlong_surrogate_high_and_cut_sequences) {
  for (const std::string_view text : {"\x80"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2\x41"sv, "\xe0\x9f\xbf"sv,
                                      "\xed\xa0\x80"sv, "\xe2\x82"sv, "\xe2\x82\x41"sv, "\xf0\x8f\xbf\xbf"sv,
                                      "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xf0\x9f\x98"sv, "\xff"sv}) {
    EXPECT_FALSE(is_utf8(text));
    EXPECT_EQ(first_not_utf8(text), 0u);
    EXPECT_EQ(utf8_sequence_length(text), 0u);
    EXPECT_EQ(first_not_utf8("good \xc3\xa9 " + std::string(text)), 8u);
  }
}

TEST(Utf8, random_bytes_are_judged_alike_with_and_without_vectors) {
  std::mt19937 random(20262);
  constexpr std::string_view bytes = "a\x80\x9f\xa0\xbf\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5";
  int accepted = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string text(1 + random() % 6, ' ');
    for (char& c : text) {
      c = bytes[random() % bytes.size()];
    }
    const bool valid = first_not_utf8(text) == std::string_view::npos;
    ASSERT_EQ(is_utf8(text), valid) << testing::PrintToString(text);
    accepted += valid ? 1 : 0;
  }
  EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace weir::text
