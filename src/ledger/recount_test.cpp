#include "ledger/recount.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <utility>

#include "ledger/request_record.hpp"
#include "store/call_form.hpp"
#include "store/store.hpp"

namespace weir::ledger {
namespace {

using namespace std::chrono_literals;
using platform::WallTime;

const WallTime noon{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + 12h};

Money dollars(std::string_view text) {
  return Money::parse(text).value_or(Money{});
}

/// A call as the store has it.
std::string call(WallTime time, std::string_view cost, std::string_view charged = {},
                 EndState end_state = EndState::complete, std::string_view key_id = "key_1") {
  RequestRecord record;
  record.id = store::first_id_at(time);
  record.time = time;
  record.endpoint = "/v1/chat/completions";
  record.tenant = "team";
  record.user = "ada";
  record.key_id = key_id;
  record.route = "m";
  record.model = "m";
  AttemptRecord& attempt = record.attempts.emplace_back();
  attempt.target = "a/x";
  attempt.end_state = end_state;
  record.end_state = end_state;
  attempt.usage = {.input_tokens = 10, .output_tokens = 5};
  attempt.cost = cost.empty() ? std::nullopt : std::optional(dollars(cost));
  attempt.reserved = std::make_shared<Reserved>(Reserved{.money = dollars("0.60"), .tokens = 100, .output_tokens = 90});
  attempt.reserved->expires = time + 11min;
  if (!charged.empty()) {
    attempt.reserved->charged = dollars(charged);
  }
  std::string kept;
  append_kept(kept, record);
  return kept;
}

Budget budget(std::string_view cap, PeriodLength length) {
  return {.cap = dollars(cap).in_picodollars(), .period = Period::make(length).value_or(Period{})};
}

struct RecountTest : testing::Test {
  std::unique_ptr<store::Store> store = store::make_memory_store();
  Budgets budgets;
  Recount recount{budgets, [](const std::string& tenant) {
                    return tenant == "team" ? std::vector<std::string>{"company"} : std::vector<std::string>{};
                  }};
  void put(const std::string& row) {
    const std::vector<std::string_view> rows = {row};
    EXPECT_TRUE(store->requests().put(rows, store::Repeats::possible));
  }
  std::int64_t spent(OwnerKind kind, std::string_view id, const BudgetRules& rules, WallTime now, bool held = false) {
    const Budgets::Owner owner{.kind = kind, .id = id, .rules = &rules};
    const auto standing = budgets.standing(budgets.purse({&owner, 1}), 0, now);
    return held ? standing.held : standing.spent;
  }
};

TEST_F(RecountTest, sums_up_the_period_for_everybody_who_pays) {
  put(call(noon - 26h, "5"));
  put(call(noon - 13h, "4"));  // yesterday
  put(call(noon - 3h, "0.25"));
  put(call(noon - 2h, "0.25", "0.30"));  // was charged by an estimate
  put(call(noon - 1h, "", "0.10"));
  const BudgetRules day{.budgets = {budget("10", PeriodLength::day)}};
  const BudgetRules month{.budgets = {budget("10", PeriodLength::month)}};
  budgets.await_recount();
  budgets.expect(day);
  budgets.expect(month);
  const auto counted = recount.run(store->requests(), noon);
  ASSERT_TRUE(counted);
  EXPECT_TRUE(*counted);
  for (const auto& [kind, id] : {std::pair{OwnerKind::global, ""},
                                 {OwnerKind::tenant, "team"},
                                 {OwnerKind::tenant, "company"},
                                 {OwnerKind::user, "team/ada"},
                                 {OwnerKind::key, "key_1"},
                                 {OwnerKind::model, "m"}}) {
    EXPECT_EQ(spent(kind, id, day, noon), dollars("0.65").in_picodollars()) << to_string(kind) << " " << id;
    EXPECT_EQ(spent(kind, id, month, noon), dollars("9.65").in_picodollars()) << to_string(kind) << " " << id;
  }
  EXPECT_EQ(spent(OwnerKind::key, "key_2", day, noon), 0);
  const BudgetRules tokens{.budgets = {{.unit = Budget::Unit::tokens, .cap = 1000, .period = day.budgets[0].period}}};
  EXPECT_EQ(spent(OwnerKind::key, "key_1", tokens, noon), 45);
  const auto again = recount.run(store->requests(), noon);
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
}

TEST_F(RecountTest, tells_payers_apart_and_joins_their_calls) {
  for (int i = 0; i < 300; ++i) {
    put(call(noon - 1h - std::chrono::milliseconds(i), i % 3 == 0 ? "0.25" : "0.01", {}, EndState::complete,
             i % 3 == 0 ? "key_1" : "key_2"));
  }
  const BudgetRules day{.budgets = {budget("100", PeriodLength::day)}};
  budgets.expect(day);
  ASSERT_TRUE(recount.run(store->requests(), noon));
  EXPECT_EQ(spent(OwnerKind::key, "key_1", day, noon), dollars("25").in_picodollars());
  EXPECT_EQ(spent(OwnerKind::key, "key_2", day, noon), dollars("2").in_picodollars());
  EXPECT_EQ(spent(OwnerKind::tenant, "team", day, noon), dollars("27").in_picodollars());
}

/// The log of a store that goes away after some records, once.
class InterruptedLog final : public store::RequestLog {
 public:
  InterruptedLog(store::RequestLog& log, int shown_max) : log_(log), shown_max_(shown_max) {}
  Result<void> visit(std::string_view from, const std::function<void(std::string_view record)>& show) override {
    int shown = 0;
    const auto visited = log_.visit(from, [&](std::string_view record) {
      if (shown++ < shown_max_) {
        show(record);
      }
    });
    return std::exchange(shown_max_, std::numeric_limits<int>::max()) < shown
               ? Result<void>(fail(Code::store_unavailable, "gone"))
               : visited;
  }
  Result<void> put(std::span<const std::string_view> records, store::Repeats repeats) override {
    return log_.put(records, repeats);
  }
  Result<std::optional<std::string>> find(std::string_view id) override { return log_.find(id); }
  Result<store::RequestPage> list(const store::RequestQuery& query) override { return log_.list(query); }
  Result<std::vector<store::UsageRow>> usage(const store::UsageQuery& query) override { return log_.usage(query); }
  Result<std::int64_t> remove_oldest(std::string_view before, std::int64_t calls_max) override {
    return log_.remove_oldest(before, calls_max);
  }

 private:
  store::RequestLog& log_;
  int shown_max_;
};

TEST_F(RecountTest, begins_anew_when_the_store_goes_away_meanwhile) {
  for (int i = 0; i < 5; ++i) {
    put(call(noon - 1h - std::chrono::milliseconds(i), "0.25"));
  }
  const auto open = store::as_unknown(call(noon - 1min, "", "", EndState::open));
  ASSERT_TRUE(open) << open.error().message;
  put(*open);
  const BudgetRules day{.budgets = {budget("100", PeriodLength::day)}};
  budgets.await_recount();
  budgets.expect(day);
  InterruptedLog log(store->requests(), 3);
  EXPECT_FALSE(recount.run(log, noon));
  EXPECT_EQ(spent(OwnerKind::key, "key_1", day, noon), 0);
  const auto again = recount.run(log, noon);
  ASSERT_TRUE(again);
  EXPECT_TRUE(*again);
  EXPECT_EQ(spent(OwnerKind::key, "key_1", day, noon), dollars("1.25").in_picodollars());
  EXPECT_EQ(spent(OwnerKind::key, "key_1", day, noon, true), dollars("0.60").in_picodollars());
}

TEST_F(RecountTest, keeps_what_a_dead_process_held_until_it_expires) {
  const auto open = store::as_unknown(call(noon - 1min, "", "", EndState::open));
  ASSERT_TRUE(open) << open.error().message;
  put(*open);
  const BudgetRules day{.budgets = {budget("1", PeriodLength::day)}};
  budgets.expect(day);
  ASSERT_TRUE(recount.run(store->requests(), noon));
  EXPECT_EQ(spent(OwnerKind::key, "key_1", day, noon), 0);
  EXPECT_EQ(spent(OwnerKind::key, "key_1", day, noon, true), dollars("0.60").in_picodollars());
  EXPECT_EQ(spent(OwnerKind::key, "key_1", day, noon + 10min, true), 0);
}

}  // namespace
}  // namespace weir::ledger
