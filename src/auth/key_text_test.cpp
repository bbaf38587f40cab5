#include "auth/key_text.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weir::auth {
namespace {

TEST(KeyText, holds_all_bits_and_a_checksum) {
  std::array<std::uint8_t, 32> random{};
  EXPECT_EQ(key_text_of(random).reveal(), "wr-" + std::string(43, '0') + key_text_of(random).reveal().substr(46));
  random.fill(0xff);
  // 2^256 - 1 in base 62, from a calculator.
  EXPECT_EQ(key_text_of(random).reveal().substr(3, 43), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
  std::set<std::string> seen;
  for (std::size_t bit = 0; bit < 256; ++bit) {
    random.fill(0);
    random[bit / 8] = static_cast<std::uint8_t>(1U << (bit % 8));
    const std::string text = key_text_of(random).reveal();
    EXPECT_EQ(text.size(), key_text_bytes);
    EXPECT_FALSE(is_mistyped(text)) << text;
    EXPECT_TRUE(seen.insert(text).second) << "bit " << bit << " is lost";
  }
}

TEST(KeyText, is_new_each_time) {
  const Secret one = make_key_text();
  EXPECT_FALSE(one == make_key_text());
  EXPECT_FALSE(is_mistyped(one.reveal()));
  EXPECT_EQ(fmt::format("{}", one), "[secret]");
}

TEST(KeyText, tells_every_slip_of_the_hand) {
  const std::string key = make_key_text().reveal();
  for (std::size_t i = key_prefix.size(); i < key.size(); ++i) {
    for (const char other : std::string_view("0Aaz-_ ")) {
      std::string slip = key;
      slip[i] = other;
      EXPECT_EQ(is_mistyped(slip), slip != key) << i << other;
    }
    EXPECT_TRUE(is_mistyped(key.substr(0, i)));
    std::string swapped = key;
    if (i + 1 < key.size() && key[i] != key[i + 1]) {
      std::swap(swapped[i], swapped[i + 1]);
      EXPECT_TRUE(is_mistyped(swapped)) << i;
    }
  }
  EXPECT_TRUE(is_mistyped(key + "x"));
}

TEST(KeyText, knows_the_labels_that_are_weir_s_own) {
  for (const std::string_view own : {"weir-probe", "config:", "config:a"}) {
    EXPECT_TRUE(is_reserved_label(own)) << own;
  }
  for (const std::string_view free : {"", "weir", "weir-probe-2", "configuration", "my config:a"}) {
    EXPECT_FALSE(is_reserved_label(free)) << free;
  }
}

TEST(KeyText, says_nothing_about_keys_of_others) {
  for (const std::string_view foreign : {"", "sk-test-key-123", "wr", "WR-1", "x"}) {
    EXPECT_FALSE(is_mistyped(foreign)) << foreign;
  }
}

}  // namespace
}  // namespace weir::auth
