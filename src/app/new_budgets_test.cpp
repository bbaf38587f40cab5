#include "app/new_budgets.hpp"

#include <gtest/gtest.h>

#include "auth/key_rules.hpp"

namespace weir::app {
namespace {

using gateway::Allowances;
using ledger::Budget;
using ledger::BudgetRules;
using ledger::PeriodLength;

Budget budget(PeriodLength length, std::int64_t cap = 1, Budget::Unit unit = Budget::Unit::money) {
  return {.unit = unit, .cap = cap, .period = ledger::Period::make(length).value_or(ledger::Period{})};
}

/// "day week": the periods of what is new.
std::string words(const BudgetRules& rules) {
  std::string told;
  for (const Budget& one : rules.budgets) {
    told += (told.empty() ? "" : " ") + std::string(to_string(one.period.length()));
  }
  return told;
}

const BudgetRules day{.budgets = {budget(PeriodLength::day)}};
const BudgetRules week{.budgets = {budget(PeriodLength::week)}};

TEST(NewBudgets, are_those_that_nobody_counted) {
  EXPECT_EQ(words(ledger::newly_counted({}, day)), "day");
  EXPECT_EQ(words(ledger::newly_counted(day, {})), "");
  EXPECT_EQ(words(ledger::newly_counted(day, {.budgets = {budget(PeriodLength::day, 7)}})), "")
      << "another amount of what is counted";
  EXPECT_EQ(words(ledger::newly_counted(day, {.budgets = {budget(PeriodLength::day, 1, Budget::Unit::tokens)}})),
            "day");
  EXPECT_EQ(words(ledger::newly_counted(day, {.budgets = {budget(PeriodLength::day), budget(PeriodLength::week)}})),
            "week");
}

TEST(NewBudgets, are_found_wherever_they_are) {
  const Allowances none;
  EXPECT_EQ(words(new_budgets(none, none)), "");
  for (gateway::Allowance Allowances::* part :
       {&Allowances::global, &Allowances::per_key, &Allowances::per_user, &Allowances::per_tenant}) {
    Allowances all;
    (all.*part).budgets = day;
    EXPECT_EQ(words(new_budgets(none, all)), "day");
    EXPECT_EQ(words(new_budgets(all, none)), "");
    EXPECT_EQ(words(new_budgets(all, all)), "");
  }
  Allowances all;
  all.by_model["m"].budgets = day;
  EXPECT_EQ(words(new_budgets(none, all)), "day");
}

TEST(NewBudgets, of_tenants_are_their_own_or_those_of_each) {
  Allowances before;
  before.tenants["acme"].budgets = day;
  Allowances now;
  now.tenants["acme"].budgets = week;
  EXPECT_EQ(words(new_budgets(before, now)), "week");
  EXPECT_EQ(words(new_budgets(Allowances{}, now)), "week");
  now.tenants.clear();
  now.per_tenant.budgets = week;
  before.per_tenant.budgets = week;
  EXPECT_EQ(words(new_budgets(before, now)), "week") << "acme has none of its own any more";
}

TEST(NewBudgets, are_those_that_a_tenant_comes_below) {
  Allowances before;
  before.tenants["group"].budgets = day;
  before.tenants["division"].parent = "group";
  before.tenants["team"].parent = "";
  Allowances now = before;
  now.tenants["team"].parent = "division";
  EXPECT_EQ(words(new_budgets(before, now)), "day");
  EXPECT_EQ(words(new_budgets(now, before)), "");
  EXPECT_EQ(words(new_budgets(now, now)), "");
}

std::shared_ptr<const auth::Key> key(std::string id, const BudgetRules& rules) {
  auth::Key made;
  made.id = std::move(id);
  if (!rules.empty()) {
    made.rules = std::make_shared<const auth::KeyRules>(auth::KeyRules{.limits = {}, .budgets = rules});
  }
  return std::make_shared<const auth::Key>(std::move(made));
}

TEST(NewBudgets, of_keys_are_those_of_keys_that_were_there) {
  EXPECT_EQ(words(new_budgets({key("a", {})}, {key("a", day)}, {})), "day");
  EXPECT_EQ(words(new_budgets({key("a", day)}, {key("a", day)}, {})), "");
  EXPECT_EQ(words(new_budgets({}, {key("a", day)}, {})), "") << "a new key has spent nothing";
  EXPECT_EQ(words(new_budgets({key("a", day)}, {key("a", {})}, week)), "week") << "what each key has comes to it";
  EXPECT_EQ(words(new_budgets({key("b", {})}, {key("b", {})}, week)), "");
}

}  // namespace
}  // namespace weir::app
