#include "settings/url.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::settings {
namespace {

TEST(WebAddress, is_divided_into_what_a_client_needs) {
  const auto url = parse_url("http://127.0.0.1:8080/v1/");
  ASSERT_TRUE(url);
  EXPECT_FALSE(url->tls);
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->path, "/v1");
  const auto bare = parse_url("https://api.example.com");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->tls);
  EXPECT_EQ(bare->port, 443);
  EXPECT_EQ(bare->path, "");
  EXPECT_EQ(bare->query, "");
  const auto asked = parse_url("http://x/a/?api-version=2024-10-21&b=%20");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->path, "/a");
  EXPECT_EQ(asked->query, "api-version=2024-10-21&b=%20");
  const auto six = parse_url("http://[::1]:80/x");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->host, "::1");
}

TEST(WebAddress, may_be_a_unix_socket_with_a_path_behind_it) {
  const auto bare = parse_url("unix:/run/model.sock");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->unix_path, "/run/model.sock");
  EXPECT_EQ(bare->host, "localhost");
  EXPECT_EQ(bare->path, "");
  EXPECT_FALSE(bare->tls);
  const auto deep = parse_url("unix:/run/model.sock:/v1/?a=b");
  ASSERT_TRUE(deep);
  EXPECT_EQ(deep->unix_path, "/run/model.sock");
  EXPECT_EQ(deep->path, "/v1");
  EXPECT_EQ(deep->query, "a=b");
  for (const std::string& text :
       {std::string("unix:"), std::string("unix:x"), std::string("unix:///run/x"), std::string("unix:/run/"),
        std::string("unix:/x:"), std::string("unix:/x:v1"), std::string("unix:/x:8080/v1"),
        std::string("unix:/x:@evil/"), std::string("unix:/x:/v1#f"), "unix:/" + std::string(107, 'x')}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

TEST(WebAddress, refuses_what_could_smuggle_or_mislead) {
  for (const char* text :
       {"", "127.0.0.1:80", "ftp://x", "http://", "http:///v1", "http://u:p@x/", "http://x/#f", "http://x:0/",
        "http://x:65536/", "http://a b/", "http://x/\r\ny", "http://a%0ab/", "HTTP://x", "http://x:8o/"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

TEST(HostAndPort, are_read_with_ipv6_in_brackets) {
  EXPECT_EQ(parse_host_port("127.0.0.1:8000")->port, 8000);
  EXPECT_EQ(parse_host_port("[::1]:0")->host, "::1");
  EXPECT_EQ(parse_host_port(":9")->host, "");
  for (const char* text : {"", "x", "x:", "x:-1", "x:+1", "x:65536", "::1:80", "[zz]:80", "a b:80", "[::1]80"}) {
    EXPECT_FALSE(parse_host_port(text)) << text;
  }
}

TEST(Loopback, is_the_whole_network_and_its_names) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "localhost"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "128.0.0.1", "::ffff:10.0.0.1", ""}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(Networks, have_an_address_and_at_most_its_bits) {
  for (const char* text : {"10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::1/128"}) {
    EXPECT_TRUE(is_address_or_network(text)) << text;
  }
  for (const char* text : {"", "proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::1/129", "10.0.0.0/-1"}) {
    EXPECT_FALSE(is_address_or_network(text)) << text;
  }
}

}  // namespace
}  // namespace weir::settings
