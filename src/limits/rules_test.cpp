#include "limits/rules.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace weir::limits {
namespace {

using namespace std::chrono_literals;

TEST(LimitRules, are_read_as_people_write_them) {
  const auto rules = parse_rules(R"({"requests": "100/60s", "tokens": ["50000/1m", "1000000/d"], "in_flight": 8})");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(*rules,
            (Rules{.windows = {{Unit::requests, 100, 60s}, {Unit::tokens, 50'000, 60s}, {Unit::tokens, 1'000'000, 24h}},
                   .in_flight = 8}));
}

TEST(LimitRules, may_be_absent) {
  for (const char* text : {"", "null", "{}", R"({"requests": null, "in_flight": null})"}) {
    const auto rules = parse_rules(text);
    ASSERT_TRUE(rules) << text;
    EXPECT_TRUE(rules->empty());
  }
}

TEST(LimitRules, say_what_is_wrong_and_where) {
  struct Case {
    const char* json;
    const char* words;
  };
  for (const Case& one : {Case{R"({"request": "1/1s"})", R"(limits.request is not known; did you mean "requests"?)"},
                          Case{R"({"requests": "1/1s", "requests": "1/2s"})", "limits.requests stands there twice"},
                          Case{R"({"requests": 100})", "limits.requests: \"100\" is no limit"},
                          Case{R"({"requests": "0/1s"})", "limits.requests: \"0/1s\" is no limit"},
                          Case{R"({"tokens": ["5/1m", "6/60s"]})", "the same span of time"},
                          Case{R"({"tokens": ["1/1s","1/2s","1/3s","1/4s","1/5s","1/6s","1/7s"]})", "more than 6"},
                          Case{R"({"in_flight": 0})", "limits.in_flight is no number of calls"},
                          Case{R"({"in_flight": "8"})", "limits.in_flight is no number of calls"},
                          Case{R"(["100/1s"])", "limits is not a JSON object"},
                          Case{R"({"in_flight": 8)", "limits is not a JSON object"}}) {
    const auto rules = parse_rules(one.json);
    ASSERT_FALSE(rules) << one.json;
    EXPECT_NE(rules.error().message.find(one.words), std::string::npos) << rules.error().message;
  }
}

}  // namespace
}  // namespace weir::limits
