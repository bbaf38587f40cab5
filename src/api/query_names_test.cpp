#include "api/query_names.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace weir::api {
namespace {

constexpr std::array<std::string_view, 3> known = {"tenant", "limit", "after"};

TEST(QueryNames, that_are_known_may_stand_there) {
  for (const std::string_view query : {"", "limit=1", "tenant&after=", "&&limit=1&", "after=a=b&tenant=x"}) {
    EXPECT_FALSE(refuse_unknown(query, known).has_value()) << query;
  }
  EXPECT_FALSE(refuse_unknown("", {}).has_value());
}

TEST(QueryNames, that_are_not_known_are_named_with_what_there_is) {
  struct Row {
    std::string_view query;
    std::string_view name;
    std::string_view words;
  };
  for (const Row& row :
       std::vector<Row>{{"limit=1&tenat=x", "tenat", R"(there are tenant, limit, after; did you mean "tenant"?)"},
                        {"dry_run", "dry_run", "There is no parameter `dry_run` here"},
                        {"Limit=1", "Limit", "did you mean \"limit\"?"},
                        {"=1", "", "no parameter ``"}}) {
    const auto refusal = refuse_unknown(row.query, known);
    ASSERT_TRUE(refusal.has_value()) << row.query;
    EXPECT_EQ(refusal->param, row.name);
    EXPECT_TRUE(refusal->message.contains(row.words)) << refusal->message;
  }
  const auto refusal = refuse_unknown("foo=1", {});
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->message, "There is no parameter `foo` here; there are none");
}

}  // namespace
}  // namespace weir::api
