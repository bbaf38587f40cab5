#include "text/json_scan.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <memory>
#include <random>
#include <regex>
#include <string>
#include <vector>

namespace weir::text {
namespace {

using namespace std::string_view_literals;

bool is_valid(std::string_view document) {
  return scan_document(document).has_value();
}

/// What simdjson's DOM says, on a copy with the padding that it wants.
simdjson::error_code oracle(std::string_view document) {
  static simdjson::dom::parser parser;
  return parser.parse(simdjson::padded_string(document)).error();
}

TEST(JsonScan, accepts_what_the_rfc_allows) {
  for (const std::string_view document : {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "-0",
                                          "1e5",
                                          "1E+05",
                                          "-1.50e-3",
                                          R"("")",
                                          R"("x")",
                                          "[]",
                                          "{}",
                                          "[ ]",
                                          "{ }",
                                          "[[],{}]",
                                          R"({"a":1})",
                                          " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : null }\n",
                                          R"({"":""})",
                                          R"({"a":1,"a":2})",
                                          R"("\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00")",
                                          "\"\x7f\"",
                                          "\"\xc3\xa9\xf0\x9f\x98\x80\""}) {
    EXPECT_TRUE(is_valid(document)) << document;
  }
}

TEST(JsonScan, accepts_what_simdjsons_dom_refuses_though_the_rfc_allows_it) {
  for (const std::string_view document :
       {"1e999", "-1e99999", "123456789012345678901234567890", R"("\ud800")", R"("\udc00\ud800")", R"({"\ud83d":1})"}) {
    EXPECT_TRUE(is_valid(document)) << document;
    EXPECT_NE(oracle(document), simdjson::SUCCESS) << "no longer a difference: " << document;
  }
}

TEST(JsonScan, tells_what_is_wrong_and_where) {
  struct Case {
    std::string_view document;
    std::size_t offset;
    std::string_view what;
  };
  for (const Case& c : {
           Case{"", 0, "the document ends too early"},
           Case{"  ", 2, "the document ends too early"},
           Case{"{", 1, "the document ends too early"},
           Case{R"({"a)", 3, "the document ends too early"},
           Case{R"({"a\)", 4, "the document ends too early"},
           Case{R"({"a":)", 5, "the document ends too early"},
           Case{R"({"a":1,)", 7, "the document ends too early"},
           Case{"tru", 3, "the document ends too early"},
           Case{"-", 1, "the document ends too early"},
           Case{"{,}", 1, "a member's name in double quotes is expected"},
           Case{R"({"a":1,})", 7, "a member's name in double quotes is expected"},
           Case{"{'a':1}", 1, "a member's name in double quotes is expected"},
           Case{"{a:1}", 1, "a member's name in double quotes is expected"},
           Case{R"({"a" 1})", 5, "a colon is expected"},
           Case{R"({"a":1 "b":2})", 7, "a comma or a closing brace is expected"},
           Case{R"({"a":[1})", 7, "a comma or a closing bracket is expected"},
           Case{"[1 2]", 3, "a comma or a closing bracket is expected"},
           Case{"[1,]", 3, "a value is expected"},
           Case{"[,1]", 1, "a value is expected"},
           Case{"[1,,2]", 3, "a value is expected"},
           Case{"nul!", 3, "a value is expected"},
           Case{"True", 0, "a value is expected"},
           Case{"NaN", 0, "a value is expected"},
           Case{"+1", 0, "a value is expected"},
           Case{".5", 0, "a value is expected"},
           Case{"-x", 1, "a digit is expected"},
           Case{"1.", 2, "the document ends too early"},
           Case{"1.x", 2, "a digit is expected"},
           Case{"1e+,", 3, "a digit is expected"},
           Case{"01", 1, "nothing may follow the document"},
           Case{"1 1", 2, "nothing may follow the document"},
           Case{"{}}", 2, "nothing may follow the document"},
           Case{"{}\0"sv, 2, "nothing may follow the document"},
           Case{"[01]", 2, "a comma or a closing bracket is expected"},
           Case{"\"a\nb\"", 2, "a control character in a string must be escaped"},
           Case{"\"\0\""sv, 1, "a control character in a string must be escaped"},
           Case{R"("\x41")", 2, "no such escape in a string"},
           Case{R"("\U0041")", 2, "no such escape in a string"},
           Case{R"("\u00g0")", 5, "\\u needs four hexadecimal digits"},
           Case{"[1] // x", 4, "nothing may follow the document"},
           Case{"\xef\xbb\xbf{}", 0, "a value is expected"},
           Case{"[\xc2\xa0]", 1, "a value is expected"},
           Case{"\"ok\",\"\xff\"", 4, "nothing may follow the document"},
           Case{"\"\xc3\xa9\xff\"", 3, "these bytes are not UTF-8"},
           Case{"{\"\xed\xa0\x80\":1}", 2, "these bytes are not UTF-8"},
       }) {
    const auto scanned = scan_document(c.document);
    ASSERT_FALSE(scanned) << c.document;
    EXPECT_EQ(scanned.error().offset, c.offset) << c.document;
    EXPECT_EQ(scanned.error().what, c.what) << c.document;
    EXPECT_NE(oracle(c.document), simdjson::SUCCESS) << c.document;
  }
}

/// Calls `visit` with each text of up to `length_max` letters.
template <class Visitor>
void each_text(std::string_view alphabet, std::size_t length_max, Visitor&& visit) {
  for (std::size_t length = 1; length <= length_max; ++length) {
    std::vector<std::size_t> letters(length, 0);
    for (bool more = true; more;) {
      std::string text;
      for (const std::size_t letter : letters) {
        text += alphabet[letter];
      }
      visit(text);
      more = false;
      for (std::size_t& letter : letters) {
        if (++letter < alphabet.size()) {
          more = true;
          break;
        }
        letter = 0;
      }
    }
  }
}

TEST(JsonScan, every_short_text_of_number_letters_is_judged_by_the_rfcs_grammar) {
  const std::regex number(R"(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)");
  int valid = 0;
  each_text("-+.01eE", 5, [&](const std::string& text) {
    valid += is_valid(text) ? 1 : 0;
    ASSERT_EQ(is_valid(text), std::regex_match(text, number)) << text;
    ASSERT_EQ(is_valid("[" + text + ",1]"), is_valid(text)) << text;
  });
  EXPECT_GT(valid, 200);
}

TEST(JsonScan, every_short_text_of_structure_letters_is_judged_as_simdjson_judges_it) {
  int valid = 0;
  each_text("{}[],:\"1 ", 5, [&](const std::string& text) {
    valid += is_valid(text) ? 1 : 0;
    ASSERT_EQ(is_valid(text), oracle(text) == simdjson::SUCCESS) << text;
  });
  EXPECT_GT(valid, 200);
}

/// Writes random documents, white space and all.
class Writer {
 public:
  explicit Writer(std::uint64_t seed) : random_(seed) {}

  std::string object(int depth) { return container('{', '}', depth); }

  std::string string() {
    static constexpr std::array<std::string_view, 16> parts = {"a",
                                                               "bc",
                                                               "some longer text without any escape in it",
                                                               " ",
                                                               "{",
                                                               "]",
                                                               ",",
                                                               ":",
                                                               R"(\")",
                                                               R"(\\)",
                                                               R"(\u0041)",
                                                               R"(\uD83D\uDE00)",
                                                               R"(\n)",
                                                               "\xc3\xa9",
                                                               "/",
                                                               "\xf0\x9f\x98\x80"};
    std::string text = "\"";
    for (std::size_t n = pick(6); n > 0; --n) {
      text += parts[pick(parts.size())];
    }
    return text + '"';
  }

  std::string value(int depth) {
    static constexpr std::array<std::string_view, 10> scalars = {"null", "true", "false", "0",   "-1",
                                                                 "12.5", "1e3",  "1E-2",  "987", "-0.0"};
    switch (depth > 0 ? pick(4) : pick(2)) {
      case 0: return std::string(scalars[pick(scalars.size())]);
      case 1: return string();
      case 2: return container('{', '}', depth - 1);
      default: return container('[', ']', depth - 1);
    }
  }

  std::string space() { return std::string(" \t\r\n").substr(pick(4), pick(6) == 0 ? 2 : 0); }
  std::size_t pick(std::size_t below) { return random_() % below; }

 private:
  std::string container(char open, char close, int depth) {
    std::string text(1, open);
    const std::size_t size = pick(5);
    for (std::size_t i = 0; i < size; ++i) {
      text += (i > 0 ? "," : "") + space();
      if (open == '{') {
        text += string() + space() + ":" + space();
      }
      text += value(depth) + space();
    }
    return text + (size == 0 ? space() : "") + close;
  }

  std::mt19937_64 random_;
};

TEST(JsonScan, random_documents_whole_and_damaged_are_judged_as_simdjson_judges_them) {
  int damaged_but_valid = 0;
  int damaged_and_invalid = 0;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    Writer writer(seed);
    const std::string document = writer.space() + writer.value(4) + writer.space();
    ASSERT_TRUE(is_valid(document)) << "seed " << seed << ": " << document;
    ASSERT_EQ(oracle(document), simdjson::SUCCESS) << "seed " << seed << ": " << document;
    for (int round = 0; round < 20 && !document.empty(); ++round) {
      std::string damaged = document;
      const std::size_t place = writer.pick(damaged.size());
      constexpr std::string_view bytes = "{}[],:\"\\ 0e.-ntfu\x01\x80\xc3\xff\n";
      switch (writer.pick(3)) {
        case 0: damaged[place] = bytes[writer.pick(bytes.size())]; break;
        case 1: damaged.erase(place, 1 + writer.pick(3)); break;
        default: damaged.insert(place, 1, bytes[writer.pick(bytes.size())]);
      }
      const bool ours = is_valid(damaged);
      const simdjson::error_code theirs = oracle(damaged);
      if (ours && theirs != simdjson::SUCCESS) {
        // Damage can make half of a surrogate pair or a number of no size that a double has; nothing else may differ.
        const bool lone_surrogate = theirs == simdjson::STRING_ERROR && damaged.find("\\u") != std::string::npos;
        ASSERT_TRUE(lone_surrogate) << "seed " << seed << ": " << damaged << ": " << theirs;
        continue;
      }
      ASSERT_EQ(ours, theirs == simdjson::SUCCESS) << "seed " << seed << ": " << damaged;
      ++(ours ? damaged_but_valid : damaged_and_invalid);
    }
  }
  EXPECT_GT(damaged_but_valid, 1000);
  EXPECT_GT(damaged_and_invalid, 1000);
}

TEST(JsonScan, no_prefix_of_an_object_is_valid_and_its_error_lies_at_its_end) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string document = Writer(seed).object(3);
    for (std::size_t size = 0; size < document.size(); ++size) {
      // A copy of its own, so that a sanitizer sees a read behind the end.
      const auto bytes = std::make_unique<char[]>(size);
      document.copy(bytes.get(), size);
      const auto scanned = scan_document({bytes.get(), size});
      ASSERT_FALSE(scanned) << "seed " << seed << ": " << document.substr(0, size);
      ASSERT_EQ(scanned.error().offset, size) << "seed " << seed << ": " << document.substr(0, size);
    }
  }
}

struct Expected {
  Span key;
  Span value;
  JsonKind kind;
};

TEST(JsonScan, members_are_seen_in_order_and_exactly_where_they_stand) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Writer writer(seed);
    std::string document = writer.space() + "{" + writer.space();
    std::vector<Expected> expected;
    for (std::size_t i = 0, size = writer.pick(8); i < size; ++i) {
      document += (i > 0 ? "," : "") + writer.space();
      const std::string key = writer.string();
      const Span key_span{document.size() + 1, key.size() - 2};
      document += key + writer.space() + ":" + writer.space();
      const std::string value = writer.value(3);
      expected.push_back({key_span, {document.size(), value.size()}, JsonKind::null});
      switch (value[0]) {
        case '{': expected.back().kind = JsonKind::object; break;
        case '[': expected.back().kind = JsonKind::array; break;
        case '"': expected.back().kind = JsonKind::string; break;
        case 't':
        case 'f': expected.back().kind = JsonKind::boolean; break;
        case 'n': break;
        default: expected.back().kind = JsonKind::number;
      }
      document += value + writer.space();
    }
    document += "}" + writer.space();

    std::size_t strict = 0;
    const auto scanned = scan_object(document, [&](const JsonMember& member) {
      ASSERT_LT(strict, expected.size());
      const Expected& e = expected[strict++];
      EXPECT_EQ(Span::within(document, member.key_raw), e.key);
      EXPECT_EQ(Span::within(document, member.value.raw), e.value);
      EXPECT_EQ(member.value.kind, e.kind);
      EXPECT_EQ(member.key_has_escapes, member.key_raw.find('\\') != std::string_view::npos);
    });
    ASSERT_TRUE(scanned) << document;
    EXPECT_EQ(strict, expected.size()) << "seed " << seed << ": " << document;

    std::size_t trusting = 0;
    for_each_member(document, [&](const JsonMember& member) {
      ASSERT_LT(trusting, expected.size());
      const Expected& e = expected[trusting++];
      EXPECT_EQ(Span::within(document, member.key_raw), e.key);
      EXPECT_EQ(Span::within(document, member.value.raw), e.value);
      EXPECT_EQ(member.value.kind, e.kind);
      EXPECT_EQ(member.key_has_escapes, member.key_raw.find('\\') != std::string_view::npos);
    });
    EXPECT_EQ(trusting, expected.size()) << "seed " << seed << ": " << document;
  }
}

TEST(JsonScan, elements_are_seen_in_order_until_the_visitor_has_enough) {
  const std::string_view array = R"( [ 1 , "a]\"" ,[2,[3]], {"x":[4]} ,null] )";
  std::vector<std::string_view> seen;
  for_each_element(array, [&](const JsonValue& element) { seen.push_back(element.raw); });
  EXPECT_EQ(seen, (std::vector<std::string_view>{"1", R"("a]\"")", "[2,[3]]", R"({"x":[4]})", "null"}));

  seen.clear();
  for_each_element(array, [&](const JsonValue& element) {
    seen.push_back(element.raw);
    return seen.size() < 2;
  });
  EXPECT_EQ(seen.size(), 2u);
  for_each_element(" [ ] ", [&](const JsonValue&) { ADD_FAILURE() << "an empty array has no element"; });
  for_each_member(" { } ", [&](const JsonMember&) { ADD_FAILURE() << "an empty object has no member"; });
}

TEST(JsonScan, an_object_is_demanded_where_members_are_wanted) {
  for (const std::string_view document : {"[]", "1", "null", R"("{}")", "", "  "}) {
    EXPECT_FALSE(scan_object(document, [](const JsonMember&) {})) << document;
  }
  const auto behind = scan_object(R"({"a":1} x)", [](const JsonMember&) {});
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().offset, 8u);
}

TEST(JsonScan, an_error_behind_the_last_member_is_not_missed) {
  for (const std::string_view document :
       {R"({"a":1)", R"({"a":1,)", R"({"a":1]", "{\"a\":1}\x01", R"({"a":1}})", "{\"\xff\":1}", R"({,"a":1})"}) {
    EXPECT_FALSE(scan_object(document, [](const JsonMember&) {})) << document;
  }
}

std::string nested(std::size_t depth, std::string_view open, std::string_view close) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) {
    text += open;
  }
  text += "1";
  for (std::size_t i = 0; i < depth; ++i) {
    text += close;
  }
  return text;
}

TEST(JsonScan, depth_is_bounded_and_never_costs_stack) {
  EXPECT_TRUE(is_valid(nested(512, "[", "]")));
  EXPECT_FALSE(is_valid(nested(513, "[", "]")));
  EXPECT_TRUE(scan_document(nested(1024, R"({"a":)", "}"), json_depth_limit));
  EXPECT_FALSE(scan_document(nested(1025, R"({"a":)", "}"), json_depth_limit));
  EXPECT_FALSE(is_valid(nested(3000, R"({"a":[)", "]}")));
  const auto deep = scan_document(nested(1'000'000, "[", "]"));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().what, "too many values inside one another"sv);
  EXPECT_EQ(deep.error().offset, 512u);
  EXPECT_FALSE(scan_document("[]", 0));
  EXPECT_TRUE(scan_document("1", 0));
}

TEST(JsonScan, depth_counts_alike_for_documents_and_objects) {
  const auto ignore = [](const JsonMember&) {};
  EXPECT_TRUE(scan_object(R"({"a":[{}]})", ignore, 3));
  EXPECT_FALSE(scan_object(R"({"a":[{}]})", ignore, 2));
  EXPECT_TRUE(scan_document(R"({"a":[{}]})", 3));
  EXPECT_FALSE(scan_document(R"({"a":[{}]})", 2));
  EXPECT_FALSE(scan_object("{}", ignore, 0));
}

/// Enters each object that is a member's value; tells what was seen.
void read_inside(JsonScanner& scanner, std::string& seen) {
  scanner.enter_object();
  for (JsonMember member; scanner.next_name(member);) {
    seen.append(member.key_raw);
    if (scanner.at_object()) {
      seen += '{';
      read_inside(scanner, seen);
      seen += '}';
    } else if (scanner.read_value(member.value)) {
      seen.append("=").append(member.value.raw).append(" ");
    }
  }
}

/// Whoever looks inside hears of the same errors, at the same places.
void expect_judged_as_a_whole(std::string_view document, unsigned depth_max = 512) {
  const auto whole = scan_object(document, [](const JsonMember&) {}, depth_max);
  JsonScanner scanner(document, depth_max);
  std::string seen;
  read_inside(scanner, seen);
  ASSERT_EQ(scanner.finish(), whole.has_value()) << document;
  if (!whole) {
    EXPECT_EQ(scanner.error().offset, whole.error().offset) << document;
    EXPECT_STREQ(scanner.error().what, whole.error().what) << document;
  }
}

TEST(JsonScan, objects_inside_are_read_in_the_same_pass_and_judged_alike) {
  constexpr std::string_view document =
      R"( { "a" : 1,"b":{"c":{ },"d":[{"e":2}] , "f":{"g":"x\"y","h":-1.5e3}},"i":null} )";
  JsonScanner scanner(document);
  std::string seen;
  read_inside(scanner, seen);
  EXPECT_TRUE(scanner.finish());
  EXPECT_EQ(seen, R"(a=1 b{c{}d=[{"e":2}] f{g="x\"y" h=-1.5e3 }}i=null )");

  for (std::size_t at = 0; at < document.size(); ++at) {
    expect_judged_as_a_whole(document.substr(0, at));
    for (const char other : R"({}[]",:\ x1-)"sv) {
      std::string changed(document);
      changed[at] = other;
      expect_judged_as_a_whole(changed);
      changed.insert(at, 1, document[at]);
      expect_judged_as_a_whole(changed);
    }
  }
  for (unsigned depth_max = 0; depth_max < 6; ++depth_max) {
    expect_judged_as_a_whole(document, depth_max);
  }
}

}  // namespace
}  // namespace weir::text
