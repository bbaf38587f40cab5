#include "platform/address.hpp"

#include <gtest/gtest.h>

namespace weir::platform {
namespace {

std::string read(std::string_view text) {
  const auto address = parse_address(text);
  return address ? to_string(*address) : "nothing";
}

TEST(Address, is_read_with_and_without_port) {
  EXPECT_EQ(read("10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(read("10.0.0.1:80"), "10.0.0.1");
  EXPECT_EQ(read("::1"), "::1");
  EXPECT_EQ(read("[::1]"), "::1");
  EXPECT_EQ(read("[2001:DB8::1]:443"), "2001:db8::1");
  EXPECT_EQ(read("::ffff:10.0.0.1"), "10.0.0.1");
  for (const std::string_view wrong :
       {"", "unknown", "10.0.0", "10.0.0.256", "10.0.0.1:", "10.0.0.1:x", "10.0.0.1 ", "[::1", "[::1]x",
        "[::1]:", "_hidden", "1:2", "10.0.0.1:80:80", "2001:db8::1::1"}) {
    EXPECT_EQ(read(wrong), "nothing") << wrong;
  }
}

TEST(Address, networks_contain_what_shares_their_first_bits) {
  const auto contains = [](std::string_view network, std::string_view address) {
    return parse_network(network)->contains(*parse_address(address));
  };
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(contains("10.0.0.0/9", "10.127.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/9", "10.128.0.1"));
  EXPECT_TRUE(contains("10.0.0.1", "10.0.0.1"));
  EXPECT_FALSE(contains("10.0.0.1", "10.0.0.2"));
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
  EXPECT_TRUE(contains("fd00::/8", "fd12::1"));
  EXPECT_FALSE(contains("fd00::/8", "fe80::1"));
  EXPECT_TRUE(contains("::/0", "10.0.0.1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "10.0.0.1"));
  EXPECT_FALSE(contains("0.0.0.0/0", "fd00::1"));
  for (const std::string_view wrong : {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(parse_network(wrong)) << wrong;
  }
}

TEST(Address, one_host_counts_as_one_peer) {
  const auto key = [](std::string_view text) { return peer_key(*parse_address(text)); };
  EXPECT_EQ(key("2001:db8::1"), key("2001:db8::ffff:1"));
  EXPECT_NE(key("2001:db8::1"), key("2001:db8:0:1::1"));
  EXPECT_NE(key("10.0.0.1"), key("10.0.0.2"));
}

}  // namespace
}  // namespace weir::platform
