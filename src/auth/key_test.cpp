#include "auth/key.hpp"

#include <gtest/gtest.h>

namespace weir::auth {
namespace {

TEST(Patterns, take_anything_where_a_star_stands) {
  struct Row {
    std::string_view pattern;
    std::string_view text;
    bool takes;
  };
  for (const Row& row : std::vector<Row>{{"*", "", true},
                                         {"*", "gpt-4o", true},
                                         {"**", "a", true},
                                         {"", "", true},
                                         {"", "a", false},
                                         {"gpt-4o", "gpt-4o", true},
                                         {"gpt-4o", "gpt-4o-mini", false},
                                         {"gpt-4o", "gpt-4", false},
                                         {"gpt-4o", "GPT-4O", false},
                                         {"gpt-*", "gpt-", true},
                                         {"gpt-*", "gpt-*", true},
                                         {"gpt-*", "xgpt-4", false},
                                         {"*/qwen", "home/qwen", true},
                                         {"*/qwen", "qwen", false},
                                         {"*a*b", "xaxbxab", true},
                                         {"*a*b", "xaxbxaba", false},
                                         {"a*b*c", "abc", true},
                                         {"a*b*c", "acb", false},
                                         {"/v1/models*", "/v1/models/{id}", true}}) {
    EXPECT_EQ(matches(row.pattern, row.text), row.takes) << row.pattern << " and " << row.text;
  }
}

TEST(Patterns, are_judged_in_little_time_whatever_they_are) {
  // Going back to every star would take longer than the universe has.
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(1000, 'a')));
}

TEST(Key, may_be_bound_to_addresses) {
  Key key;
  EXPECT_TRUE(key.may_come_from("192.0.2.1"));
  EXPECT_TRUE(key.may_come_from(""));
  key.ip_allow = {*platform::parse_network("10.0.0.0/8"), *platform::parse_network("2001:db8::/32")};
  EXPECT_TRUE(key.may_come_from("10.1.2.3"));
  EXPECT_TRUE(key.may_come_from("::ffff:10.1.2.3"));
  EXPECT_TRUE(key.may_come_from("2001:db8::1"));
  EXPECT_FALSE(key.may_come_from("11.0.0.1"));
  EXPECT_FALSE(key.may_come_from("2001:db9::1"));
  EXPECT_FALSE(key.may_come_from("")) << "an address that is not known is in no list";
}

TEST(Key, with_empty_lists_may_nothing) {
  Key key;
  EXPECT_TRUE(key.may_use_model("any"));
  EXPECT_TRUE(key.may_use_endpoint("/v1/any"));
  key.models.clear();
  key.endpoints.clear();
  EXPECT_FALSE(key.may_use_model("any"));
  EXPECT_FALSE(key.may_use_endpoint("/v1/any"));
}

TEST(Role, has_one_word_each) {
  for (const Role role : {Role::bootstrap, Role::admin, Role::operator_, Role::user}) {
    EXPECT_EQ(parse_role(to_string(role)), role);
  }
  EXPECT_EQ(parse_role("root"), std::nullopt);
}

}  // namespace
}  // namespace weir::auth
