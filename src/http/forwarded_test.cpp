#include "http/forwarded.hpp"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

std::string caller(std::string_view peer, std::initializer_list<std::string_view> fields) {
  const std::vector<platform::IpNetwork> trusted{*platform::parse_network("10.0.0.0/8"),
                                                 *platform::parse_network("fd00::/8")};
  Headers headers;
  for (const std::string_view value : fields) {
    headers.add("X-Forwarded-For", value);
  }
  return forwarded_for(peer, headers, trusted).value_or("the peer");
}

TEST(ForwardedFor, is_believed_from_trusted_proxies_only) {
  EXPECT_EQ(caller("192.0.2.1:5", {"198.51.100.7"}), "the peer");
  EXPECT_EQ(caller("10.0.0.1:5", {"198.51.100.7"}), "198.51.100.7");
  EXPECT_EQ(caller("[fd00::1]:5", {"198.51.100.7"}), "198.51.100.7");
  EXPECT_EQ(caller("unix:", {"198.51.100.7"}), "the peer");
  EXPECT_EQ(caller("10.0.0.1:5", {}), "the peer");
}

TEST(ForwardedFor, is_believed_from_unix_sockets_where_they_are_trusted) {
  const std::vector<platform::IpNetwork> trusted{{.address = unix_peer}};
  Headers headers;
  headers.add("X-Forwarded-For", "198.51.100.7");
  EXPECT_EQ(forwarded_for("unix:", headers, trusted), "198.51.100.7");
  EXPECT_EQ(forwarded_for("10.0.0.1:5", headers, trusted), std::nullopt);
}

TEST(ForwardedFor, the_rightmost_untrusted_entry_counts) {
  EXPECT_EQ(caller("10.0.0.1:5", {"1.1.1.1, 198.51.100.7"}), "198.51.100.7");
  EXPECT_EQ(caller("10.0.0.1:5", {"1.1.1.1, 198.51.100.7, 10.0.0.2"}), "198.51.100.7");
  EXPECT_EQ(caller("10.0.0.1:5", {"1.1.1.1", "198.51.100.7", "10.0.0.2, [fd00::9]:80"}), "198.51.100.7");
  EXPECT_EQ(caller("10.0.0.1:5", {"10.0.0.3, 10.0.0.2"}), "10.0.0.3");
  EXPECT_EQ(caller("10.0.0.1:5", {"198.51.100.7:61000"}), "198.51.100.7");
  EXPECT_EQ(caller("10.0.0.1:5", {"[2001:db8::1]:61000"}), "2001:db8::1");
}

TEST(ForwardedFor, what_is_no_address_ends_the_walk) {
  EXPECT_EQ(caller("10.0.0.1:5", {"198.51.100.7, unknown"}), "the peer");
  EXPECT_EQ(caller("10.0.0.1:5", {"198.51.100.7, evil\", 10.0.0.2"}), "10.0.0.2");
  EXPECT_EQ(caller("10.0.0.1:5", {""}), "the peer");
}

}  // namespace
}  // namespace weir::http
