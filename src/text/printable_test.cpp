#include "text/printable.hpp"

#include <gtest/gtest.h>

namespace weir::text {
namespace {

TEST(Printable, leaves_what_people_write) {
  const std::string text = "gpt-4o \"caf\u00e9\" \u4f60\u597d \u05e9\u05dc\u05d5\u05dd \U0001f44b\u00a0~";
  EXPECT_EQ(printable(text), text);
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, puts_a_space_where_a_character_could_steer_the_terminal) {
  EXPECT_EQ(printable("a\x1b[2J\x07\nb\x7f"
                      "c"),
            "a [2J  b c");
  EXPECT_EQ(printable("a\u009b31mb\u0080\u009f\u0085"
                      "c"),
            "a 31mb   c");
}

TEST(Printable, puts_a_space_where_a_character_turns_or_breaks_the_line) {
  for (const char* character : {"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202b", "\u202c",
                                "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"}) {
    EXPECT_EQ(printable(std::string("x") + character + "y"), "x y");
  }
  for (const char* character : {"\u061b", "\u061d", "\u200d", "\u2010", "\u2027", "\u202f", "\u2065", "\u206a"}) {
    EXPECT_EQ(printable(character), character);
  }
}

TEST(Printable, puts_a_space_where_a_byte_is_not_utf_8) {
  EXPECT_EQ(printable("a\x9b"
                      "31m\xc2"),
            "a 31m ");
}

}  // namespace
}  // namespace weir::text
