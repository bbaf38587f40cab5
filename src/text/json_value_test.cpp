#include "text/json_value.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace weir::text {
namespace {

using namespace std::string_view_literals;

JsonMember first_member(std::string_view object) {
  JsonMember found;
  EXPECT_TRUE(scan_object(object, [&](const JsonMember& member) { found = member; })) << object;
  return found;
}

JsonValue value_of(std::string_view raw) {
  JsonValue found;
  for_each_element("[" + std::string(raw) + "]", [&](const JsonValue& value) { found.kind = value.kind; });
  found.raw = raw;
  return found;
}

TEST(JsonValue, a_key_counts_by_its_unescaped_name) {
  for (const std::string_view spelling :
       {R"({"model":1})", R"({"mod\u0065l":1})", R"({"\u006d\u006F\u0064\u0065\u006C":1})"}) {
    EXPECT_TRUE(key_equals(first_member(spelling), "model")) << spelling;
  }
  for (const std::string_view spelling : {R"({"mod\u0065":1})", R"({"mod\u0065ls":1})", R"({"Mod\u0065l":1})",
                                          R"({"":1})", R"({"mod\\u0065l":1})", R"({"mod\ud800el":1})", R"({"\n":1})"}) {
    EXPECT_FALSE(key_equals(first_member(spelling), "model")) << spelling;
  }
  EXPECT_TRUE(key_equals(first_member(R"({"\/\b\f\n\r\t\"\\":1})"), "/\b\f\n\r\t\"\\"));
  EXPECT_TRUE(key_equals(first_member(R"({"\u00e9\u20ac\ud83d\ude00":1})"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
}

TEST(JsonValue, the_last_member_of_a_name_is_found) {
  const std::string_view object = R"({"a":1,"b":{"a":2},"\u0061":3})";
  ASSERT_TRUE(find_member(object, "a"));
  EXPECT_EQ(find_member(object, "a")->raw, "3");
  EXPECT_EQ(find_member(object, "b")->raw, R"({"a":2})");
  EXPECT_FALSE(find_member(object, "c"));
}

TEST(JsonValue, unescape_knows_every_escape) {
  EXPECT_EQ(unescape(R"(a\"\\\/\b\f\n\r\tz)"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(unescape(R"(\u0000)"), "\0"sv);
  EXPECT_EQ(unescape(R"(\u007f\u0080\u07ff\u0800\uffff)"), "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf");
  EXPECT_EQ(unescape(R"(\ud800\udc00\uDBFF\uDFFF)"), "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
  EXPECT_EQ(unescape(""), "");
}

TEST(JsonValue, half_of_a_surrogate_pair_has_no_text) {
  for (const std::string_view raw : {R"(\ud800)", R"(\udc00)", R"(\ud800x)", R"(\ud800\n)", R"(\ud800\u0041)",
                                     R"(\udc00\ud800)", R"(\ud83d\ud83d\ude00)", R"(\ud800\ndc00)"}) {
    EXPECT_FALSE(unescape(raw)) << raw;
    EXPECT_NE(unescape_lossy(raw).find("\xef\xbf\xbd"), std::string::npos) << raw;
  }
  EXPECT_EQ(unescape_lossy(R"(a\ud83d\ud83d\ude00z)"), "a\xef\xbf\xbd\xf0\x9f\x98\x80z");
}

TEST(JsonValue, written_strings_are_valid_and_read_back_the_same) {
  std::mt19937 random(20263);
  constexpr std::array<std::string_view, 12> parts = {"a",    "\"",       "\\",
                                                      "\n",   "\x01",     "\x1f",
                                                      "/",    "\xc3\xa9", "\xf0\x9f\x98\x80",
                                                      "\x7f", "\0"sv,     "plain text of some length"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t n = random() % 10; n > 0; --n) {
      text += parts[random() % parts.size()];
    }
    std::string json;
    append_json_string(json, text);
    ASSERT_TRUE(scan_document(json)) << json;
    ASSERT_EQ(unescape(std::string_view(json).substr(1, json.size() - 2)), text) << json;
  }
}

TEST(JsonValue, strings_are_written_in_the_shortest_common_form) {
  std::string json = "x";
  append_json_string(json, "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f \xc3\xa9");
  EXPECT_EQ(json, "x\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \xc3\xa9\"");
}

TEST(JsonValue, bytes_that_are_not_utf8_are_written_as_replacement_characters) {
  std::string json;
  append_json_string(json, "a\xff\xc3\n\xc3\xa9\xed\xa0\x80z");
  EXPECT_EQ(json, "\"a\xef\xbf\xbd\xef\xbf\xbd\\n\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
  EXPECT_TRUE(scan_document(json));
}

TEST(JsonValue, an_integer_is_one_however_it_is_spelled) {
  EXPECT_EQ(to_int64(value_of("0")), 0);
  EXPECT_EQ(to_int64(value_of("-0")), 0);
  EXPECT_EQ(to_int64(value_of("10")), 10);
  EXPECT_EQ(to_int64(value_of("10.0")), 10);
  EXPECT_EQ(to_int64(value_of("1e1")), 10);
  EXPECT_EQ(to_int64(value_of("1000E-2")), 10);
  EXPECT_EQ(to_int64(value_of("9223372036854775807")), 9223372036854775807);
  EXPECT_EQ(to_int64(value_of("-9223372036854775808")), std::numeric_limits<std::int64_t>::min());
  for (const std::string_view raw : {"9223372036854775808", "1.5", "1e-1", "1e300", "1e999", R"("1")", "true", "null",
                                     "[]", "123456789012345678901234567890"}) {
    EXPECT_FALSE(to_int64(value_of(raw))) << raw;
  }
}

TEST(JsonValue, booleans_and_doubles) {
  EXPECT_EQ(to_bool(value_of("true")), true);
  EXPECT_EQ(to_bool(value_of("false")), false);
  EXPECT_FALSE(to_bool(value_of("null")));
  EXPECT_FALSE(to_bool(value_of("1")));
  EXPECT_EQ(to_double(value_of("-1.5e1")), -15.0);
  EXPECT_FALSE(to_double(value_of("1e999")));
  EXPECT_FALSE(to_double(value_of(R"("1")")));
}

TEST(JsonValue, emptiness_ignores_white_space_inside) {
  for (const std::string_view raw : {R"("")", "[]", "{}", "[ \t\r\n]", "{ }"}) {
    EXPECT_TRUE(is_empty(value_of(raw))) << raw;
  }
  for (const std::string_view raw : {R"(" ")", "[0]", "[[]]", R"({"":0})", "0", "null", "false"}) {
    EXPECT_FALSE(is_empty(value_of(raw))) << raw;
  }
}

TEST(JsonValue, a_text_is_plain_unless_any_byte_in_it_needs_more) {
  for (std::size_t size = 0; size <= 40; ++size) {
    for (const char filling : {' ', '!', '#', '[', ']', 'a', '~', '\x7f'}) {
      std::string text(size, filling);
      EXPECT_TRUE(is_plain(text)) << size;
      for (std::size_t at = 0; at < size; ++at) {
        for (int byte = 0; byte < 256; ++byte) {
          text[at] = static_cast<char>(byte);
          const bool special = byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\';
          ASSERT_EQ(is_plain(text), !special) << byte << " at " << at << " of " << size;
        }
        text[at] = filling;
      }
    }
  }
}

}  // namespace
}  // namespace weir::text
