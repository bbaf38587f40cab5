#include "http/target.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::http {
namespace {

TEST(Target, is_taken_apart_without_being_changed) {
  const auto target = split_target("/v1/models/a%2Fb?x=%20&y=+");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->form, TargetForm::origin);
  EXPECT_EQ(target->path, "/v1/models/a%2Fb");
  EXPECT_EQ(target->query, "x=%20&y=+");
  EXPECT_TRUE(target->has_query);
  EXPECT_EQ(target->authority, "");
}

TEST(Target, an_absolute_one_gives_its_path_and_authority) {
  const auto with_path = split_target("http://a.b:1/c?d?e");
  ASSERT_TRUE(with_path);
  EXPECT_EQ(with_path->form, TargetForm::absolute);
  EXPECT_EQ(with_path->authority, "a.b:1");
  EXPECT_EQ(with_path->path, "/c");
  EXPECT_EQ(with_path->query, "d?e");
  const auto query_alone = split_target("http://[::1]?d");
  ASSERT_TRUE(query_alone);
  EXPECT_EQ(query_alone->path, "/");
  EXPECT_EQ(query_alone->query, "d");
}

TEST(Target, what_browsers_leave_unescaped_is_accepted_in_the_query) {
  // WHATWG URL, "query percent-encode set" (read 2026-08).
  EXPECT_TRUE(split_target("/?a[]={b}|c^`\\~!$&'()*+,;=:@/?%"));
  EXPECT_TRUE(split_target("/a[0]|b"));
}

TEST(Target, refused) {
  for (const std::string_view text :
       {"",        "a",        "**",      "//a b",     "/\"",         "/<",          "/>",        "/#",
        "/\\",     "/^",       "/{",      "/?<",       "/?#",         "/?\"",        "/\x80",     "/?\x80",
        "http:/a", "https//a", "http://", "http://?a", "http://a:b/", "http://a@b/", "http://[1/"}) {
    EXPECT_FALSE(split_target(text)) << text;
  }
}

TEST(Target, authorities) {
  for (const std::string_view text :
       {"a", "A-b_c~.example", "a:", "a:80", "127.0.0.1:65535", "[::1]", "[::ffff:1.2.3.4]:1"}) {
    EXPECT_TRUE(is_valid_authority(text)) << text;
  }
  for (const std::string_view text : {"", ":80", "a:80:80", "a:8x", "a,b", "a%41", "a b", "[]", "[:]", "[::1", "::1",
                                      "[g::]", "[::1]80", "[::1]:x", "a/", "a?", "a@b", "a]"}) {
    EXPECT_FALSE(is_valid_authority(text)) << text;
  }
}

TEST(PercentDecode, resolves_escapes_and_nothing_else) {
  std::string out = "kept ";
  EXPECT_TRUE(percent_decode("a%2Fb%2f+c%C3%a9%25", out));
  EXPECT_EQ(out, "kept a/b/+c\xC3\xA9%");
}

TEST(PercentDecode, refuses_broken_escapes_and_control_characters_and_leaves_the_output_alone) {
  for (const std::string_view text : {"%", "a%2", "a%zz", "a%2z", "%%41", "ok%00", "ok%0d%0a", "%7F", "%1f"}) {
    std::string out = "kept";
    EXPECT_FALSE(percent_decode(text, out)) << text;
    EXPECT_EQ(out, "kept") << text;
  }
}

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> all;
  PathSegments segments(path);
  while (const auto segment = segments.next()) {
    all.emplace_back(*segment);
  }
  return all;
}

TEST(PathSegments, an_escaped_slash_belongs_to_its_segment) {
  using Segments = std::vector<std::string>;
  EXPECT_EQ(segments_of("/v1/models/a%2Fb"), (Segments{"v1", "models", "a%2Fb"}));
  EXPECT_EQ(segments_of("/"), (Segments{""}));
  EXPECT_EQ(segments_of("/a//b/"), (Segments{"a", "", "b", ""}));
  EXPECT_EQ(segments_of(""), Segments{});
  EXPECT_EQ(segments_of("*"), Segments{});
  PathSegments segments("/v1/models/meta/llama");
  segments.next();
  segments.next();
  EXPECT_EQ(segments.rest(), "/meta/llama");
}

TEST(PathSegments, dot_segments_are_told_in_every_spelling) {
  for (const std::string_view path : {"/.", "/..", "/a/../b", "/a/./b", "/%2e", "/%2E%2e/a", "/.%2e", "/a/%2E."}) {
    EXPECT_TRUE(has_dot_segment(path)) << path;
  }
  for (const std::string_view path : {"/", "/a.b", "/...", "/.a", "/a..", "/..a/b", "/%2e%2e%2e", "/%252e"}) {
    EXPECT_FALSE(has_dot_segment(path)) << path;
  }
}

TEST(QueryParameter, gives_the_first_of_its_name) {
  EXPECT_EQ(query_parameter("limit=20&after=a%20b&limit=30", "limit"), "20");
  EXPECT_EQ(query_parameter("limit=20&after=a%20b", "after"), "a%20b");
  EXPECT_EQ(query_parameter("a&b=", "a"), "");
  EXPECT_EQ(query_parameter("a&b=", "b"), "");
  EXPECT_EQ(query_parameter("b==c", "b"), "=c");
  EXPECT_EQ(query_parameter("limits=20", "limit"), std::nullopt);
  EXPECT_EQ(query_parameter("&&", ""), std::nullopt);
  EXPECT_EQ(query_parameter("", "a"), std::nullopt);
}

}  // namespace
}  // namespace weir::http
