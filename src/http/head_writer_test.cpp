#include "http/head_writer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "http/head_parser.hpp"

namespace weir::http {
namespace {

using namespace std::string_literals;

TEST(HeadWriter, writes_a_response_head) {
  std::string out;
  HeadWriter writer(out);
  EXPECT_TRUE(writer.status_line(200));
  EXPECT_TRUE(writer.field("Content-Type", "application/json"));
  EXPECT_TRUE(writer.field(KnownHeader::retry_after, "3"));
  writer.content_length(18446744073709551615ULL);
  writer.end();
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nretry-after: 3\r\n"
            "Content-Length: 18446744073709551615\r\n\r\n");
}

TEST(HeadWriter, writes_a_request_head) {
  std::string out;
  HeadWriter writer(out);
  EXPECT_TRUE(writer.request_line("POST", "/v1/chat/completions?a=b"));
  EXPECT_TRUE(writer.field("Host", "api.example"));
  writer.chunked();
  writer.end();
  EXPECT_EQ(out, "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(HeadWriter, a_status_keeps_its_number_and_phrase) {
  const auto line = [](unsigned status, std::string_view reason) {
    std::string out;
    EXPECT_TRUE(HeadWriter(out).status_line(status, reason));
    return out;
  };
  EXPECT_EQ(line(404, ""), "HTTP/1.1 404 Not Found\r\n");
  EXPECT_EQ(line(404, "Nope"), "HTTP/1.1 404 Nope\r\n");
  EXPECT_EQ(line(799, ""), "HTTP/1.1 799 \r\n");
}

TEST(FieldLines, are_written_into_a_head_as_they_stand) {
  FieldLines lines;
  lines.add("x-weir-target", " up/model\t");
  lines.add("x-weir-attempts", 2);
  lines.add("x-weir-target", "a\r\nX: b");  // left out
  EXPECT_EQ(lines.text(), "x-weir-target: up/model\r\nx-weir-attempts: 2\r\n");
  std::string out = "HTTP/1.1 200 OK\r\n";
  HeadWriter(out).lines(lines);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nx-weir-target: up/model\r\nx-weir-attempts: 2\r\n");
}

TEST(HeadWriter, text_never_becomes_header) {
  std::string out;
  HeadWriter writer(out);
  for (const std::string& value : {"a\r\nX: b"s, "a\nb"s, "a\rb"s, "a\0b"s, "\x7f"s, "\x01"s, "\r\n\r\n<html>"s}) {
    EXPECT_FALSE(writer.field("X", value)) << testing::PrintToString(value);
    EXPECT_FALSE(writer.status_line(200, value)) << testing::PrintToString(value);
    EXPECT_FALSE(writer.request_line("GET", "/" + value)) << testing::PrintToString(value);
  }
  for (const std::string& name : {""s, "a b"s, "a:"s, "a\r\nb"s, "a\0"s, "\xC3\xA9"s, " a"s}) {
    EXPECT_FALSE(writer.field(name, "x")) << testing::PrintToString(name);
    EXPECT_FALSE(writer.request_line(name, "/")) << testing::PrintToString(name);
  }
  EXPECT_FALSE(writer.field(KnownHeader::other, "x"));
  EXPECT_FALSE(writer.request_line("GET", ""));
  EXPECT_FALSE(writer.request_line("GET", "/a b"));
  EXPECT_FALSE(writer.status_line(99));
  EXPECT_FALSE(writer.status_line(1000));
  EXPECT_EQ(out, "") << "what is refused leaves no trace";
}

TEST(HeadWriter, a_character_that_may_not_stand_there_is_seen_wherever_it_stands) {
  std::string out;
  HeadWriter writer(out);
  for (std::size_t size = 1; size < 50; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      std::string text(size, 'a');
      for (const char bad : {' ', ':', '\x80', '\n'}) {
        text[place] = bad;
        EXPECT_FALSE(writer.field(text, "x")) << size << " " << place;
      }
      for (const char bad : {'\n', '\r', '\0', '\x7f'}) {
        text[place] = bad;
        EXPECT_FALSE(writer.field("X", text)) << size << " " << place;
        EXPECT_FALSE(writer.field(KnownHeader::server, text)) << size << " " << place;
      }
      EXPECT_EQ(out, "");
      text[place] = '_';
      EXPECT_TRUE(writer.field(text, text));
      EXPECT_EQ(out, text + ": " + text + "\r\n");
      out.clear();
    }
  }
}

TEST(HeadWriter, a_target_may_come_in_parts) {
  std::string out;
  HeadWriter writer(out);
  EXPECT_FALSE(writer.request_line("GET", {"", ""}));
  EXPECT_FALSE(writer.request_line("GET", {"/v1", "/a b"}));
  EXPECT_EQ(out, "");
  EXPECT_TRUE(writer.request_line("GET", {"/v1", "/models", "", "?", "a=b"}));
  EXPECT_EQ(out, "GET /v1/models?a=b HTTP/1.1\r\n");
}

TEST(HeadWriter, values_may_have_tabs_and_bytes_above_ascii_and_lose_blanks_at_their_ends) {
  std::string out;
  EXPECT_TRUE(HeadWriter(out).field("X", " \ta\tb \xC3\xA9 \t"));
  EXPECT_EQ(out, "X: a\tb \xC3\xA9\r\n");
}

TEST(HeadWriter, what_it_writes_the_parser_reads) {
  std::string out;
  HeadWriter writer(out);
  ASSERT_TRUE(writer.request_line("DELETE", "/v1/files/x"));
  ASSERT_TRUE(writer.field("Host", "a"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(writer.field("X-" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v')));
  }
  writer.end();
  ParseState state;
  RequestHead head;
  const ParseOutcome outcome = parse_request_head(out, state, head);
  ASSERT_EQ(outcome.kind, ParseOutcome::Kind::done);
  EXPECT_EQ(outcome.consumed, out.size());
  EXPECT_EQ(head.method, Method::delete_);
  EXPECT_EQ(head.headers.size(), 101U);
  EXPECT_EQ(head.headers.value("x-99").size(), 99U);
}

}  // namespace
}  // namespace weir::http
