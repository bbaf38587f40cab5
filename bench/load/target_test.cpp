#include "load/target.hpp"

#include <gtest/gtest.h>

namespace weir::load {
namespace {

TEST(Target, is_read_from_a_loopback_url) {
  auto target = parse_target("http://127.0.0.1:8000/v1/chat/completions?x=1");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->host, "127.0.0.1:8000");
  EXPECT_EQ(target->path, "/v1/chat/completions?x=1");
  EXPECT_EQ(target->address.ss_family, AF_INET);
  EXPECT_EQ(parse_target("http://localhost:1")->path, "/");
  EXPECT_FALSE(parse_target("http://localhost:1")->tls);
  EXPECT_TRUE(parse_target("https://localhost:1/x")->tls);
  EXPECT_EQ(parse_target("http://[::1]:9/x")->address.ss_family, AF_INET6);
}

TEST(Target, is_refused_beyond_this_machine) {
  for (auto url :
       {"http://10.0.0.1:80/", "http://example.com:80/", "http://128.0.0.1:80/", "http://127.0.0.1.example.com:80/",
        "http://0.0.0.0:80/", "http://[::2]:80/", "http://127.0.0.1@10.0.0.1:80/"}) {
    EXPECT_FALSE(parse_target(url).has_value()) << url;
  }
}

TEST(Target, is_refused_where_the_url_is_not_understood) {
  for (auto url : {"ftp://127.0.0.1:443/", "127.0.0.1:80", "http://127.0.0.1/", "http://127.0.0.1:0/",
                   "http://127.0.0.1:99999/", "http://127.0.0.1:8x/", "http://[::1]/", ""}) {
    EXPECT_FALSE(parse_target(url).has_value()) << url;
  }
}

}  // namespace
}  // namespace weir::load
