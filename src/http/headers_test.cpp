#include "http/headers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::http {
namespace {

TEST(Headers, finds_a_field_whatever_the_case_of_its_name) {
  Headers headers;
  headers.add("Content-Type", "application/json");
  headers.add("OpenAI-Beta", "assistants=v2");
  EXPECT_EQ(headers.value("content-type"), "application/json");
  EXPECT_EQ(headers.value(KnownHeader::content_type), "application/json");
  EXPECT_EQ(headers.value("openai-BETA"), "assistants=v2");
  EXPECT_EQ(headers.find("openai-beta-2"), nullptr);
  EXPECT_EQ(headers.find(KnownHeader::host), nullptr);
  EXPECT_EQ(headers.value(KnownHeader::host), "");
}

TEST(Headers, keeps_order_and_repetitions) {
  Headers headers;
  headers.add("Set-Cookie", "a=1");
  headers.add("X-One", "1");
  headers.add("set-cookie", "b=2");
  std::vector<std::string> seen;
  for (const Header& field : headers) {
    seen.push_back(std::string(field.name) + "=" + std::string(field.value));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"Set-Cookie=a=1", "X-One=1", "set-cookie=b=2"}));
  EXPECT_EQ(headers.count("SET-COOKIE"), 2U);
  EXPECT_TRUE(headers.repeated(KnownHeader::set_cookie));
  EXPECT_FALSE(headers.repeated(KnownHeader::content_type));
  EXPECT_EQ(headers.value(KnownHeader::set_cookie), "a=1");
}

TEST(Headers, takes_128_fields_and_not_one_more) {
  Headers headers;
  for (std::size_t i = 0; i < Headers::fields_max; ++i) {
    ASSERT_TRUE(headers.add("x", "1"));
  }
  EXPECT_FALSE(headers.add("host", "late"));
  EXPECT_EQ(headers.size(), Headers::fields_max);
  EXPECT_EQ(headers.find(KnownHeader::host), nullptr);
  headers.clear();
  EXPECT_TRUE(headers.empty());
  EXPECT_TRUE(headers.add("host", "now"));
  EXPECT_EQ(headers.value(KnownHeader::host), "now");
}

TEST(Headers, finds_a_known_field_that_is_the_last_of_128) {
  Headers headers;
  for (std::size_t i = 1; i < Headers::fields_max; ++i) {
    ASSERT_TRUE(headers.add("x", "1"));
  }
  ASSERT_TRUE(headers.add("Host", "last"));
  EXPECT_EQ(headers.value(KnownHeader::host), "last");
}

TEST(Headers, clear_forgets_repetitions) {
  Headers headers;
  headers.add("Host", "a");
  headers.add("Host", "b");
  EXPECT_TRUE(headers.repeated(KnownHeader::host));
  headers.clear();
  headers.add("Host", "c");
  EXPECT_FALSE(headers.repeated(KnownHeader::host));
}

TEST(Headers, every_known_name_is_classified_as_itself) {
  for (std::uint8_t i = 1; i < static_cast<std::uint8_t>(KnownHeader::count_); ++i) {
    const auto known = static_cast<KnownHeader>(i);
    std::string name(name_of(known));
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(classify_header(name), known) << name;
    for (char& c : name) {
      c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    EXPECT_EQ(classify_header(name), known) << name;
    name.back() = '_';
    EXPECT_EQ(classify_header(name), KnownHeader::other) << name;
  }
  EXPECT_EQ(classify_header(""), KnownHeader::other);
  EXPECT_EQ(classify_header(std::string(300, 'h')), KnownHeader::other);
}

TEST(Headers, a_known_name_with_another_character_is_another_name) {
  for (std::uint8_t i = 1; i < static_cast<std::uint8_t>(KnownHeader::count_); ++i) {
    const auto known = static_cast<KnownHeader>(i);
    std::string name(name_of(known));
    for (char& c : name) {
      const char own = c;
      for (int byte = 0; byte < 256; ++byte) {
        c = static_cast<char>(byte);
        EXPECT_EQ(classify_header(name) == known, to_lower(c) == own) << name;
      }
      c = own;
    }
  }
}

TEST(Headers, the_fields_that_connection_names_are_told) {
  Headers headers;
  headers.add("Connection", "keep-alive , X-Internal");
  headers.add("connection", ",,x-other");
  EXPECT_TRUE(headers.named_in_connection("x-internal"));
  EXPECT_TRUE(headers.named_in_connection("X-Other"));
  EXPECT_FALSE(headers.named_in_connection("x-inter"));
  EXPECT_FALSE(headers.named_in_connection(""));
}

TEST(Headers, hop_by_hop_fields_are_those_of_rfc_9110) {
  for (const std::string_view name : {"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
                                      "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"}) {
    EXPECT_TRUE(is_hop_by_hop(classify_header(name))) << name;
  }
  for (const std::string_view name : {"Content-Length", "Host", "Authorization", "X-Unknown"}) {
    EXPECT_FALSE(is_hop_by_hop(classify_header(name))) << name;
  }
}

TEST(Headers, follow_their_bytes_to_another_place) {
  std::string first = "Host: a";
  Headers headers;
  headers.add(std::string_view(first).substr(0, 4), std::string_view(first).substr(6));
  const std::string second = first;
  headers.rebase(first.data(), second.data());
  first.assign(first.size(), '#');
  EXPECT_EQ(headers[0].name, "Host");
  EXPECT_EQ(headers.value(KnownHeader::host), "a");
}

TEST(Lists, elements_come_without_blanks_and_empty_ones_are_skipped) {
  std::vector<std::string_view> seen;
  EXPECT_TRUE(for_each_element(" a,\tb ,, c d ,", [&](std::string_view element) {
    seen.push_back(element);
    return true;
  }));
  EXPECT_EQ(seen, (std::vector<std::string_view>{"a", "b", "c d"}));
  EXPECT_TRUE(list_has("gzip, Chunked", "chunked"));
  EXPECT_FALSE(list_has("gzip; chunked", "chunked"));
  EXPECT_FALSE(list_has("", "chunked"));
}

TEST(Characters, the_wide_scans_find_what_a_byte_by_byte_search_finds) {
  // Every length around the block size, every position, every byte.
  for (std::size_t length = 0; length < 50; ++length) {
    std::string text(length, 'a');
    const char* const end = text.data() + text.size();
    EXPECT_EQ(find_control(text.data(), end), end);
    EXPECT_EQ(find_line_end(text.data(), end), end);
    EXPECT_EQ(skip_token(text.data(), end), end);
    for (std::size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        text[place] = static_cast<char>(byte);
        const char* const there = text.data() + place;
        EXPECT_EQ(find_control(text.data(), end), is_control(text[place]) ? there : end) << length << ' ' << byte;
        EXPECT_EQ(find_line_end(text.data(), end), byte == '\r' || byte == '\n' ? there : end) << length << ' ' << byte;
        EXPECT_EQ(skip_token(text.data(), end), is_in(text[place], characters::token) ? end : there)
            << length << ' ' << byte;
      }
      text[place] = 'a';
    }
  }
}

}  // namespace
}  // namespace weir::http
