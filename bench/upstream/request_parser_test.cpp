#include "upstream/request_parser.hpp"

#include <gtest/gtest.h>

namespace weir::mock_upstream {
namespace {

TEST(MockRequestParser, finds_sized_and_chunked_requests_cut_anywhere) {
  constexpr std::string_view bytes =
      "POST /v1/chat/completions?events=3 HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
      "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"b\r\n4\r\n\":2}\r\n0\r\n\r\n"
      "GET /stats HTTP/1.1\r\nConnection: close\r\n\r\n";
  for (std::size_t part = 1; part <= bytes.size(); ++part) {
    RequestParser parser;
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += part) {
      parser.feed(bytes.substr(at, part));
      while (auto request = parser.next()) {
        seen += std::string(request->method) + " " + std::string(request->target) + " " + std::string(request->body) +
                (request->keep_alive ? " keep\n" : " close\n");
      }
    }
    EXPECT_EQ(seen, "POST /v1/chat/completions?events=3 {\"a\":1} keep\nPOST /x {\"b\":2} keep\nGET /stats  close\n")
        << part;
    EXPECT_FALSE(parser.broken());
  }
}

TEST(MockRequestParser, says_once_that_the_client_waits_for_100_continue) {
  RequestParser parser;
  parser.feed("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_FALSE(parser.next().has_value());
  EXPECT_TRUE(parser.take_continue());
  EXPECT_FALSE(parser.take_continue());
  parser.feed("{}");
  EXPECT_TRUE(parser.next().has_value());
}

TEST(MockRequestParser, gives_up_on_what_is_not_http) {
  RequestParser parser;
  parser.feed("hello\r\n\r\n");
  EXPECT_FALSE(parser.next().has_value());
  EXPECT_TRUE(parser.broken());
}

}  // namespace
}  // namespace weir::mock_upstream
