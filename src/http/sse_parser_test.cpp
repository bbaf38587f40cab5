#include "http/sse_parser.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace weir::http {
namespace {

using namespace std::string_literals;

constexpr std::size_t ample = 1024 * 1024;

struct Seen {
  std::string data;
  std::string event = {};
  bool has_data = true;
  bool unterminated = false;
  friend bool operator==(const Seen&, const Seen&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << '{' << testing::PrintToString(seen.data) << ", " << seen.event << (seen.has_data ? "" : ", no data")
               << (seen.unterminated ? ", unterminated" : "") << '}';
  }
};

struct Stream {
  std::vector<Seen> events;        // without the comments
  std::vector<std::string> bytes;  // of everything, one by one
  std::string all;
  std::string error;
};

void take(Stream& stream, const SseEvent& event) {
  stream.bytes.emplace_back(event.bytes);
  stream.all += event.bytes;
  EXPECT_FALSE(event.bytes.empty());
  EXPECT_FALSE(event.comment_only && (event.has_data || !event.event.empty()));
  if (!event.comment_only) {
    stream.events.push_back({std::string(event.data), std::string(event.event), event.has_data, event.unterminated});
  }
}

// Feeds the bytes in the pieces that end at `cuts`. Events are read only when nothing more comes, as a caller may do.
Stream read(std::string_view bytes, const std::vector<std::size_t>& cuts, std::size_t event_bytes_max = ample) {
  SseParser parser(event_bytes_max);
  Stream stream;
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    std::string piece(bytes.substr(begin, cut - begin));
    begin = cut;
    parser.feed(piece);
    std::vector<SseEvent> ready;
    for (;;) {
      const auto event = parser.next();
      if (!event) {
        stream.error = event.error().message;
        EXPECT_EQ(event.error().code, Code::upstream_malformed);
        EXPECT_FALSE(parser.next()) << "an error stays";
        EXPECT_FALSE(parser.finish()) << "an error stays";
        break;
      }
      if (!*event) {
        break;
      }
      ready.push_back(**event);
    }
    for (const SseEvent& event : ready) {
      take(stream, event);
    }
    if (!stream.error.empty()) {
      return stream;
    }
    piece.assign(piece.size(), '#');  // the buffer is the caller's again
  }
  const auto last = parser.finish();
  if (last && *last) {
    EXPECT_TRUE((*last)->unterminated);
    take(stream, **last);
  }
  return stream;
}

Stream read(std::string_view bytes) {
  return read(bytes, {bytes.size()});
}

std::filesystem::path fixtures() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "tests/fixtures/sse";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Seen no_data(std::string event) {
  return {.data = "", .event = std::move(event), .has_data = false};
}
Seen unterminated(std::string data) {
  return {.data = std::move(data), .unterminated = true};
}

const std::map<std::string, std::vector<Seen>> expected = {
    {"openai_chat.sse",
     {{R"({"id":"c1","object":"chat.completion.chunk",)"
       R"("choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})"},
      {R"({"id":"c1","object":"chat.completion.chunk",)"
       R"("choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]})"},
      {R"({"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"},
      {"[DONE]"}}},
    {"crlf.sse", {{R"({"a":1})"}, {R"({"a":2})"}, {"[DONE]"}}},
    {"cr.sse", {{R"({"a":1})"}, {R"({"a":2})"}, {"[DONE]"}}},
    {"mixed_line_ends.sse", {{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {"6\n7\n8\n9"}}},
    {"heartbeats.sse", {{"1"}, {"2"}, {"3"}, {"[DONE]"}}},
    {"multi_line_data.sse", {{"{\n \"a\": 1\n}"}, {"\n"}, {"\nx\n"}, {"one\ntwo", "m"}}},
    {"named_events.sse",
     {{R"({"type":"message_start"})", "message_start"},
      {R"({"type": "ping"})", "ping"},
      {"x", "last"},
      no_data("nothing"),
      {"y"},
      {R"({"type":"message_stop"})", "message_stop"}}},
    {"no_final_blank_line.sse", {{R"({"a":1})"}, unterminated("[DONE]")}},
    {"no_final_line_end.sse", {{R"({"a":1})"}, unterminated("[DONE]")}},
    {"ends_after_carriage_return.sse", {{R"({"a":1})"}, {"[DONE]"}}},
    {"byte_order_mark.sse", {{R"({"a":1})"}, no_data(""), {"[DONE]"}}},
    {"byte_order_mark_alone.sse", {{"1"}}},
    {"blank_lines.sse", {{"1"}, {"2"}}},
    {"odd_fields.sse",
     {{"no space"},
      {" two spaces"},
      {"\ttab"},
      {"trailing "},
      no_data(""),
      no_data(""),
      no_data(""),
      {"a:b: c"},
      {"nul \0 inside"s},
      {"\xff\xfe not utf-8"},
      {"\xe2\x80\xa8 is no line end\x0b\x0c"}}},
    {"empty_data.sse", {{""}, {""}, {""}}},
};

TEST(SseParser, reads_every_odd_stream_of_the_corpus) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures())) {
    if (entry.path().extension() != ".sse") {
      continue;
    }
    ++files;
    const std::string name = entry.path().filename().string();
    ASSERT_TRUE(expected.contains(name)) << name;
    const std::string bytes = read_file(entry.path());
    const Stream stream = read(bytes);
    EXPECT_EQ(stream.events, expected.at(name)) << name;
    EXPECT_EQ(stream.all, bytes) << name;
  }
  EXPECT_EQ(files, expected.size());
}

TEST(SseParser, gives_the_same_events_and_bytes_in_any_cut) {
  for (const auto& [name, events] : expected) {
    const std::string bytes = read_file(fixtures() / name);
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
      const Stream two = read(bytes, {first, bytes.size()});
      EXPECT_EQ(two.events, events) << name << " cut at " << first;
      EXPECT_EQ(two.all, bytes) << name << " cut at " << first;
      for (std::size_t second = first; second <= std::min(first + 6, bytes.size()); ++second) {
        const Stream three = read(bytes, {first, second, bytes.size()});
        EXPECT_EQ(three.events, events) << name << " cut at " << first << " and " << second;
        EXPECT_EQ(three.all, bytes) << name << " cut at " << first << " and " << second;
      }
    }
    std::vector<std::size_t> each_byte;
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
      each_byte.push_back(size);
    }
    const Stream stream = read(bytes, each_byte);
    EXPECT_EQ(stream.events, events) << name << " byte by byte";
    EXPECT_EQ(stream.all, bytes) << name << " byte by byte";
  }
}

TEST(SseParser, an_event_has_its_own_bytes_from_the_end_of_the_one_before) {
  const Stream stream = read(": a\ndata: 1\n\n\n: b\r\n\r\nevent: x\rdata: 2\r\rdata: 3");
  EXPECT_EQ(stream.bytes,
            (std::vector<std::string>{": a\ndata: 1\n\n", "\n", ": b\r\n\r\n", "event: x\rdata: 2\r\r", "data: 3"}));
}

TEST(SseParser, events_that_came_whole_are_views_into_what_was_fed) {
  const std::string bytes = "data: 1\n\ndata: 2\n\ndata: 3";
  SseParser parser(ample);
  parser.feed(bytes);
  const auto one = parser.next();
  const auto two = parser.next();
  ASSERT_TRUE(one && *one && two && *two);
  EXPECT_EQ((*one)->bytes.data(), bytes.data());
  EXPECT_EQ((*one)->data.data(), bytes.data() + 6);
  EXPECT_EQ((*two)->bytes.data(), bytes.data() + 9);
  const auto none = parser.next();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  EXPECT_EQ(parser.pending(), 7U);
}

TEST(SseParser, events_of_one_feed_live_together_until_the_next) {
  SseParser parser(ample);
  parser.feed("data: a");
  ASSERT_FALSE(*parser.next());
  const std::string bytes = "b\ndata: c\n\ndata: d\ndata: e\n\ndata: f\n\ndata: g";
  parser.feed(bytes);
  std::vector<SseEvent> events;
  for (auto event = parser.next(); event && *event; event = parser.next()) {
    events.push_back(**event);
  }
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].data, "ab\nc");
  EXPECT_EQ(events[0].bytes, "data: ab\ndata: c\n\n");
  EXPECT_EQ(events[1].data, "d\ne");
  EXPECT_EQ(events[2].data, "f");
  parser.feed("\n\n");
  const auto last = parser.next();
  ASSERT_TRUE(last && *last);
  EXPECT_EQ((*last)->bytes, "data: g\n\n");
}

TEST(SseParser, data_of_several_lines_stays_in_place_also_in_a_later_and_larger_feed) {
  SseParser parser(ample);
  for (std::size_t size = 1; size < 100'000; size *= 10) {
    const std::string line(size, 'x');
    std::string bytes;
    for (int i = 0; i < 20; ++i) {
      bytes += "data: " + line + "\ndata: " + std::to_string(i) + "\n\n";
    }
    parser.feed(bytes);
    std::vector<SseEvent> events;
    for (auto event = parser.next(); event && *event; event = parser.next()) {
      events.push_back(**event);
    }
    ASSERT_EQ(events.size(), 20U);
    for (std::size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(events[i].data, line + "\n" + std::to_string(i));
      EXPECT_TRUE(i == 0 || events[i].data.data() == events[i - 1].data.data() + events[i - 1].data.size())
          << "joined data of one feed lies in one block";
    }
  }
}

TEST(SseParser, does_not_wait_for_the_line_feed_of_a_last_carriage_return) {
  SseParser parser(ample);
  parser.feed("data: 1\r\n\r");
  const auto event = parser.next();
  ASSERT_TRUE(event && *event) << "a client dispatches here; so do we";
  EXPECT_EQ((*event)->bytes, "data: 1\r\n\r");
  EXPECT_FALSE(*parser.next());
  parser.feed("\ndata: 2\r\n\r\n");
  const auto line_feed = parser.next();
  ASSERT_TRUE(line_feed && *line_feed);
  EXPECT_EQ((*line_feed)->bytes, "\n");
  EXPECT_TRUE((*line_feed)->comment_only);
  const auto other = parser.next();
  ASSERT_TRUE(other && *other);
  EXPECT_EQ((*other)->bytes, "data: 2\r\n\r\n");
}

TEST(SseParser, tells_heartbeats_and_events_without_data_apart) {
  const auto only = [](std::string_view bytes) {
    SseParser parser(ample);
    parser.feed(bytes);
    const auto event = parser.next();
    EXPECT_TRUE(event && *event);
    return **event;
  };
  EXPECT_TRUE(only(": ping\n\n").comment_only);
  EXPECT_TRUE(only("\n").comment_only);
  EXPECT_FALSE(only("retry: 5\n\n").comment_only);
  EXPECT_FALSE(only("retry: 5\n\n").has_data);
  EXPECT_FALSE(only("event: a\n\n").comment_only);
  EXPECT_TRUE(only("data\n\n").has_data);
  EXPECT_FALSE(only("data\n\n").comment_only);
}

TEST(SseParser, a_finished_stream_gives_its_rest_once) {
  SseParser parser(ample);
  parser.feed("event: e\ndata: a\ndata: b");
  ASSERT_FALSE(*parser.next());
  const auto rest = parser.finish();
  ASSERT_TRUE(rest && *rest);
  EXPECT_EQ((*rest)->bytes, "event: e\ndata: a\ndata: b");
  EXPECT_EQ((*rest)->data, "a\nb");
  EXPECT_EQ((*rest)->event, "e");
  EXPECT_TRUE((*rest)->unterminated);
  const auto nothing = parser.finish();
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  EXPECT_EQ(parser.pending(), 0U);
}

TEST(SseParser, takes_an_event_of_exactly_the_limit_and_not_one_byte_more_in_any_cut) {
  for (const std::string& end : {"\n\n"s, "\r\n\r\n"s, "\r\r"s, "\r\n\n"s, "\n\r\n"s}) {
    const std::string bytes = "data: 0\n\ndata: 123456789" + end + "data: 2\n\n";
    // The LF behind a last CR may come late, and is not counted.
    const std::size_t size = ("data: 123456789" + end).size() - (end.ends_with("\r\n") ? 1 : 0);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const Stream fits = read(bytes, {cut, bytes.size()}, size);
      EXPECT_EQ(fits.events, (std::vector<Seen>{{"0"}, {"123456789"}, {"2"}})) << cut;
      const Stream too_large = read(bytes, {cut, bytes.size()}, size - 1);
      EXPECT_EQ(too_large.events, (std::vector<Seen>{{"0"}})) << cut;
      EXPECT_NE(too_large.error, "") << cut;
    }
  }
}

TEST(SseParser, bounds_an_event_that_never_ends) {
  SseParser parser(1000);
  const std::string piece(100, 'x');
  for (int i = 0; i < 10; ++i) {
    parser.feed(piece);
    const auto event = parser.next();
    ASSERT_TRUE(event && !*event) << i;
  }
  parser.feed("x");
  EXPECT_FALSE(parser.next());
  EXPECT_LE(parser.pending(), 1001U);
}

}  // namespace
}  // namespace weir::http
