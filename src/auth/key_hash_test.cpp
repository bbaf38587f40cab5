#include "auth/key_hash.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::auth {
namespace {

std::string hex(const KeyHash& hash) {
  return fmt::format("{:02x}", fmt::join(hash, ""));
}

TEST(KeyHasher, is_hmac_sha_256) {
  // RFC 4231, test cases 1, 2 and 4.
  const std::vector<std::uint8_t> first(20, 0x0b);
  EXPECT_EQ(hex(KeyHasher(first)("Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  const std::vector<std::uint8_t> second{'J', 'e', 'f', 'e'};
  EXPECT_EQ(hex(KeyHasher(second)("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  std::vector<std::uint8_t> fourth;
  for (std::uint8_t i = 1; i <= 25; ++i) {
    fourth.push_back(i);
  }
  EXPECT_EQ(hex(KeyHasher(fourth)(std::string(50, '\xcd'))),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

TEST(KeyHasher, of_two_processes_gives_two_hashes) {
  const auto one = KeyHasher::for_this_process();
  const auto other = KeyHasher::for_this_process();
  EXPECT_EQ((*one)("wr-key"), (*one)("wr-key"));
  EXPECT_NE((*one)("wr-key"), (*other)("wr-key"));
}

TEST(KeyHash, is_the_same_only_in_every_byte) {
  KeyHash hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) {
    KeyHash other = hash;
    other[i] ^= 0x80;
    EXPECT_FALSE(same(hash, other)) << i;
  }
  EXPECT_TRUE(same(hash, KeyHash{}));
}

}  // namespace
}  // namespace weir::auth
