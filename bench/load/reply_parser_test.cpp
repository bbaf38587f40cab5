#include "load/reply_parser.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace weir::load {
namespace {

using Kind = ReplyParser::Piece::Kind;

struct Read {
  int status = 0;
  std::string body;
  bool complete = false;
  bool malformed = false;
  bool keep_alive = false;
  std::string rest;
};

// Feeds `bytes` in parts of `part` bytes.
Read read_in_parts(std::string_view bytes, std::size_t part) {
  ReplyParser parser;
  Read read;
  while (!bytes.empty() && !read.complete && !read.malformed) {
    auto taken = bytes.substr(0, part);
    bytes.remove_prefix(taken.size());
    auto kind = Kind::body;
    while (kind == Kind::body) {
      auto piece = parser.next(taken);
      kind = piece.kind;
      read.body += piece.bytes;
    }
    read.complete = kind == Kind::complete;
    read.malformed = kind == Kind::malformed;
    read.rest = taken;
  }
  read.status = parser.status();
  read.keep_alive = parser.keep_alive();
  return read;
}

TEST(ReplyParser, reads_a_sized_reply_cut_anywhere) {
  constexpr std::string_view bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello";
  for (std::size_t part = 1; part <= bytes.size(); ++part) {
    auto read = read_in_parts(bytes, part);
    EXPECT_TRUE(read.complete) << part;
    EXPECT_EQ(read.status, 200);
    EXPECT_EQ(read.body, "hello");
    EXPECT_TRUE(read.keep_alive);
  }
}

TEST(ReplyParser, reads_a_chunked_reply_cut_anywhere) {
  constexpr std::string_view bytes =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "6\r\nhello \r\n5;ext=1\r\nworld\r\n0\r\nX-Trailer: t\r\n\r\n";
  for (std::size_t part = 1; part <= bytes.size(); ++part) {
    auto read = read_in_parts(bytes, part);
    EXPECT_TRUE(read.complete) << part;
    EXPECT_EQ(read.body, "hello world") << part;
  }
}

TEST(ReplyParser, is_not_complete_before_the_last_byte) {
  constexpr std::string_view sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  constexpr std::string_view chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (auto whole : {sized, chunked}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(read_in_parts(whole.substr(0, size), 7).complete) << size;
    }
  }
}

TEST(ReplyParser, leaves_what_follows_the_reply) {
  auto read = read_in_parts("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500", 1000);
  EXPECT_TRUE(read.complete);
  EXPECT_EQ(read.rest, "HTTP/1.1 500");
}

TEST(ReplyParser, passes_over_interim_replies) {
  auto read = read_in_parts("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 1000);
  EXPECT_TRUE(read.complete);
  EXPECT_EQ(read.status, 201);
}

TEST(ReplyParser, knows_when_the_connection_ends) {
  EXPECT_FALSE(read_in_parts("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 99).keep_alive);
  EXPECT_FALSE(read_in_parts("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 99).keep_alive);
}

TEST(ReplyParser, refuses_replies_whose_end_is_not_certain) {
  const std::vector<std::string_view> replies = {
      "HTTP/1.1 200 OK\r\n\r\n",                                                     // ends with the connection only
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",  // two answers
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",      // twice
      "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",                          // not a number
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",                          // not chunked
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",                // not a chunk size
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",           // longer than its chunk
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "<html>not http at all</html>\r\n\r\n",
  };
  for (auto reply : replies) {
    EXPECT_TRUE(read_in_parts(reply, 1000).malformed) << reply;
  }
}

TEST(ReplyParser, reads_one_reply_after_the_other) {
  ReplyParser parser;
  std::string_view input =
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(parser.next(input).kind, Kind::complete);
  EXPECT_EQ(parser.status(), 200);
  parser.reset();
  EXPECT_EQ(parser.next(input).kind, Kind::complete);
  EXPECT_EQ(parser.status(), 404);
}

}  // namespace
}  // namespace weir::load
