#include "settings/yaml.hpp"

#include <gtest/gtest.h>

namespace weir::settings {
namespace {

class Yaml : public testing::Test {
 protected:
  Node parse(std::string_view text) { return parse_yaml(text, "f.yaml", report); }
  std::string only_error() {
    const auto errors = report.errors();
    return errors.size() == 1 ? errors[0] : "not one error but " + std::to_string(errors.size());
  }
  Report report;
};

TEST_F(Yaml, keeps_lines_order_and_quoting) {
  const Node root = parse("b: 1\na:\n  - x\n  - 'on'\n  - on\n");
  EXPECT_FALSE(report.failed());
  ASSERT_EQ(root.entries.size(), 2U);
  EXPECT_EQ(root.entries[0].key, "b");
  const Node& list = root.entries[1].value;
  ASSERT_EQ(list.items.size(), 3U);
  EXPECT_EQ(list.items[1].origin, (Origin{"f.yaml", 4}));
  EXPECT_TRUE(list.items[1].quoted);
  EXPECT_FALSE(list.items[2].quoted);
  EXPECT_EQ(list.items[2].text, "on");
}

TEST_F(Yaml, tells_every_key_that_stands_twice_and_keeps_the_first) {
  const Node root = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n");
  const std::vector<std::string> expected{"f.yaml:2: b.c: set twice; first in line 2",
                                          "f.yaml:3: a: set twice; first in line 1"};
  EXPECT_EQ(report.errors(), expected);
  EXPECT_EQ(root.find("a")->text, "1");
}

TEST_F(Yaml, resolves_aliases_and_merge_keys) {
  const Node root = parse("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\ncopy: *b\nmany: {<<: [*b, {z: 4, x: 9}]}\n");
  EXPECT_FALSE(report.failed());
  EXPECT_EQ(find_path(root, "more.x")->text, "1");
  EXPECT_EQ(find_path(root, "more.y")->text, "3");
  EXPECT_EQ(find_path(root, "copy.y")->text, "2");
  EXPECT_EQ(find_path(root, "many.x")->text, "1");
  EXPECT_EQ(find_path(root, "many.z")->text, "4");
}

TEST_F(Yaml, bounds_what_nested_aliases_can_grow_to) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + previous;
    for (int j = 0; j < 9; ++j) {
      text += ", " + previous;
    }
    text += "]\n";
  }
  parse(text);
  EXPECT_TRUE(only_error().ends_with("more than 200000 values; are aliases nested?")) << only_error();
}

TEST_F(Yaml, refuses_an_alias_inside_its_own_value) {
  parse("a: &a [*a]\n");
  EXPECT_EQ(only_error(), "f.yaml:1: a[0]: an alias cannot stand inside the value that it names");
}

TEST_F(Yaml, refuses_lists_and_maps_as_keys) {
  parse("[a]: b\n");
  EXPECT_EQ(only_error(), "f.yaml:1: a key must be a plain name");
}

TEST_F(Yaml, notices_a_quote_that_the_parser_lets_pass) {
  parse("a: 'it''s open\nb: 1\n");
  EXPECT_EQ(only_error(), "f.yaml:1: a: the quote that opens here is never closed");
}

TEST_F(Yaml, takes_quotes_with_escapes_and_several_lines_as_closed) {
  const Node root = parse("a: 'it''s'\nb: \"say \\\"x\\\"\"\nc: \"two\n  lines\"\nd: |\n  \"open\n");
  EXPECT_FALSE(report.failed());
  EXPECT_EQ(root.find("a")->text, "it's");
  EXPECT_EQ(root.find("b")->text, "say \"x\"");
  EXPECT_EQ(root.find("c")->text, "two lines");
  EXPECT_EQ(root.find("d")->text, "\"open\n");
}

TEST_F(Yaml, refuses_zero_bytes_instead_of_reading_half_a_file) {
  parse(std::string_view("a: 1\nb: \0 2\nc: 3\n", 17));
  EXPECT_EQ(only_error(), "f.yaml:2: a control character (0x00); is this a text file in UTF-8?");
}

TEST_F(Yaml, reads_byte_order_marks_carriage_returns_and_an_empty_file) {
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "a: 1\r\nb: 2\r\n")
                .find("b")
                ->text,
            "2");
  EXPECT_EQ(parse("").kind, Node::Kind::null);
  EXPECT_FALSE(report.failed());
}

TEST_F(Yaml, ends_where_the_parser_would_find_documents_for_ever) {
  parse(", \"unix:\", 127");
  EXPECT_EQ(only_error(),
            "f.yaml:1: this does not belong to what stands above it; check indentation, commas and quotes");
}

TEST_F(Yaml, survives_nesting_without_end) {
  parse(std::string(100'000, '['));
  EXPECT_TRUE(report.failed());
}

// Every prefix of a config is a config that somebody was still typing: an answer, never a crash.
TEST_F(Yaml, answers_for_every_prefix_of_a_file) {
  const std::string text =
      "a: &x {b: [1, \"t\\\"w\", 'o'], c: *x}\nd:\n  - {e: |}\n  - >\n    text ${X}\n? k\n: v\n<<: {f: 1}\n";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    Report own;
    parse_yaml(std::string_view(text).substr(0, length), "f.yaml", own);
    for (const std::string& error : own.errors()) {
      EXPECT_TRUE(error.starts_with("f.yaml:")) << error;
    }
  }
}

}  // namespace
}  // namespace weir::settings
