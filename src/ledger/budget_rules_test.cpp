#include "ledger/budget_rules.hpp"

#include <gtest/gtest.h>

namespace weir::ledger {
namespace {

TEST(BudgetRules, are_read_as_people_write_them) {
  const auto rules = parse_budget_rules(
      R"([{"usd": 1.00, "period": "day", "hard": true},
          {"usd": "25", "hard": false, "reset_day": 15, "time_zone": "Europe/Berlin", "substitute": "small"}])",
      R"([{"tokens": 100000, "period": "month", "count": "total"}, {"tokens": 1e3, "period": "hour"}])");
  ASSERT_TRUE(rules) << rules.error().message;
  ASSERT_EQ(rules->budgets.size(), 4U);
  EXPECT_EQ(rules->budgets[0].cap, 1'000'000'000'000);
  EXPECT_TRUE(rules->budgets[0].hard);
  EXPECT_EQ(rules->budgets[1].period, *Period::make(PeriodLength::month, 15, "Europe/Berlin"));
  EXPECT_FALSE(rules->budgets[1].hard);
  EXPECT_EQ(rules->budgets[2].unit, Budget::Unit::tokens);
  EXPECT_EQ(rules->budgets[3].unit, Budget::Unit::output_tokens);
  EXPECT_EQ(rules->budgets[3].cap, 1000);
  EXPECT_EQ(
      budgets_to_json(*rules),
      R"([{"usd":1,"period":"day","hard":true},{"usd":25,"period":"month","hard":false,"reset_day":15,"time_zone":"Europe/Berlin","substitute":"small"}])");
  EXPECT_EQ(
      quotas_to_json(*rules),
      R"([{"tokens":100000,"period":"month","count":"total","hard":true},{"tokens":1000,"period":"hour","count":"output","hard":true}])");
  const auto again = parse_budget_rules(budgets_to_json(*rules), quotas_to_json(*rules));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *rules);
  EXPECT_EQ(to_text(rules->budgets[0]), "$1 per day");
  EXPECT_EQ(to_text(rules->budgets[2]), "100000 tokens per month");
}

TEST(BudgetRules, may_be_absent) {
  for (const char* text : {"", "null", "[]", " [ ] "}) {
    const auto rules = parse_budget_rules(text, text);
    ASSERT_TRUE(rules) << text;
    EXPECT_TRUE(rules->empty());
    EXPECT_EQ(budgets_to_json(*rules), "[]");
  }
}

TEST(BudgetRules, say_what_is_wrong_and_where) {
  struct Case {
    const char* budgets;
    const char* quotas;
    const char* words;
  };
  for (const Case& one :
       {Case{R"({"usd": 1})", "", "budgets is not a JSON array"}, Case{R"([1])", "", "budgets[0] is not a JSON object"},
        Case{R"([{"usd": 1}, {"period": "day"}])", "", "budgets[1]: usd is missing"},
        Case{R"([{"usd": -1}])", "", "budgets[0].usd is no amount of US dollars"},
        Case{R"([{"usd": 1, "perriod": "day"}])", "", R"(budgets[0].perriod is not known; did you mean "period"?)"},
        Case{R"([{"usd": 1, "period": "dya"}])", "", R"(budgets[0].period: "dya" is none of)"},
        Case{R"([{"usd": 1, "hard": 1}])", "", "budgets[0].hard is neither true nor false"},
        Case{R"([{"usd": 1, "period": "week", "reset_day": 9}])", "", "the reset day is not between 1 and 7"},
        Case{R"([{"usd": 1, "time_zone": "Mars"}])", "", "no time zone is named \"Mars\""},
        Case{R"([{"usd": 1}, {"usd": 2}])", "", "budgets[1]: another one counts the same in the same period"},
        Case{"", R"([{"tokens": 1.5}])", "quotas[0].tokens is no number of tokens"},
        Case{"", R"([{"tokens": 1, "count": "input"}])", "quotas[0].count is neither output nor total"}}) {
    const auto rules = parse_budget_rules(one.budgets, one.quotas);
    ASSERT_FALSE(rules) << one.budgets << one.quotas;
    EXPECT_NE(rules.error().message.find(one.words), std::string::npos) << rules.error().message;
  }
}

}  // namespace
}  // namespace weir::ledger
