#include "settings/expand.hpp"

#include <gtest/gtest.h>

namespace weir::settings {
namespace {

class Expansion : public testing::Test {
 protected:
  Result<std::string> expanded(std::string_view text) { return expand_text(text, {environment, read_file}); }

  Environment environment{{"KEY", "sk-1"}, {"EMPTY", ""}, {"DOLLAR", "${KEY} $KEY $$"}};
  ReadFile read_file = [](const std::string& path) -> Result<std::string> {
    if (path == "/run/secrets/x") {
      return "from a file\r\n";
    }
    return fail(Code::io_error, "No such file or directory");
  };
};

TEST_F(Expansion, replaces_a_name_that_is_the_whole_value_and_braces_anywhere) {
  EXPECT_EQ(expanded("$KEY"), "sk-1");
  EXPECT_EQ(expanded("Bearer ${KEY}!"), "Bearer sk-1!");
  EXPECT_EQ(expanded("${KEY}${KEY}"), "sk-1sk-1");
  EXPECT_EQ(expanded("plain"), "plain");
  EXPECT_EQ(expanded(""), "");
}

TEST_F(Expansion, takes_the_default_where_a_name_is_unset_or_empty) {
  EXPECT_EQ(expanded("${NONE:-else}"), "else");
  EXPECT_EQ(expanded("${NONE:-}"), "");
  EXPECT_EQ(expanded("${EMPTY:-else}"), "else");
  EXPECT_EQ(expanded("${KEY:-else}"), "sk-1");
  EXPECT_EQ(expanded("${EMPTY}"), "");
}

TEST_F(Expansion, reads_files_without_their_last_line_end) {
  EXPECT_EQ(expanded("${file:/run/secrets/x}"), "from a file");
  const auto absent = expanded("${file:/run/secrets/y}");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().message, "cannot read /run/secrets/y: No such file or directory");
}

TEST_F(Expansion, keeps_dollars_that_mean_nothing) {
  EXPECT_EQ(expanded("$$"), "$");
  EXPECT_EQ(expanded("a$$b $5 $"), "a$b $5 $");
  EXPECT_EQ(expanded("$${KEY}"), "${KEY}");
}

TEST_F(Expansion, never_expands_what_it_brought_in) {
  EXPECT_EQ(expanded("${DOLLAR}"), "${KEY} $KEY $$");
}

TEST_F(Expansion, refuses_an_unset_name_with_its_cure) {
  const auto unset = expanded("$NONE");
  ASSERT_FALSE(unset);
  EXPECT_EQ(unset.error().message,
            "the environment variable NONE is not set; set it, or write \"${NONE:-}\" if it may be absent");
}

TEST_F(Expansion, refuses_what_looks_like_an_expansion_and_is_none) {
  for (const char* text : {"${", "${}", "${1X}", "${KEY:+x}", "${KEY", "a $KEY", "$KEY.", "${file:"}) {
    EXPECT_FALSE(expanded(text)) << text;
  }
}

TEST_F(Expansion, of_a_tree_marks_bad_values_and_remembers_what_was_written) {
  Node root{.kind = Node::Kind::map};
  set_path(root, "a.b", Node{.kind = Node::Kind::scalar, .origin = {"f", 3}, .text = "$KEY"});
  set_path(root, "a.c", Node{.kind = Node::Kind::scalar, .origin = {"f", 4}, .text = "$NONE"});
  set_path(root, "a.d", scalar("$KEY", {"VARIABLE", 0}));
  Report report;
  expand(root, "", {environment, read_file}, report);
  EXPECT_EQ(find_path(root, "a.b")->text, "sk-1");
  EXPECT_EQ(find_path(root, "a.b")->shown(), "$KEY");
  EXPECT_TRUE(find_path(root, "a.c")->bad);
  EXPECT_EQ(find_path(root, "a.d")->text, "$KEY");
  ASSERT_EQ(report.errors().size(), 1U);
  EXPECT_TRUE(report.errors()[0].starts_with("f:4: a.c: the environment variable NONE"));
}

}  // namespace
}  // namespace weir::settings
