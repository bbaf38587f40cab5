#include "ledger/budgets.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <random>
#include <thread>
#include <vector>

namespace weir::ledger {
namespace {

using platform::WallTime;
using namespace std::chrono_literals;
using Kind = BudgetRefusal::Kind;

const WallTime start{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21)};

Money dollars(std::string_view text) {
  return Money::parse(text).value_or(Money::picodollars(-1));
}
Spending cost(std::string_view text) {
  return {.money = dollars(text)};
}
Budget money(std::string_view cap, bool hard = true, PeriodLength length = PeriodLength::day) {
  return {.unit = Budget::Unit::money,
          .cap = dollars(cap).in_picodollars(),
          .period = Period::make(length).value_or(Period{}),
          .hard = hard};
}

/// One who pays, with his rules.
struct Account {
  OwnerKind kind = OwnerKind::key;
  std::string id;
  BudgetRules rules;
};
Account account_of(std::string id, std::vector<Budget> budgets, OwnerKind kind = OwnerKind::key) {
  return {.kind = kind, .id = std::move(id), .rules = {.budgets = std::move(budgets)}};
}
Budgets::Purse purse_of(Budgets& budgets, const std::vector<const Account*>& accounts) {
  std::vector<Budgets::Owner> owners;
  for (const Account* account : accounts) {
    owners.push_back({.kind = account->kind, .id = account->id, .rules = &account->rules});
  }
  return budgets.purse(owners);
}

TEST(Budgets, of_fifty_calls_one_runs_and_the_rest_may_come_back) {
  Budgets budgets;
  const Account account_owner = account_of("key k", {money("1.00")});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  std::vector<Budgets::Lease> running;
  int busy = 0;
  for (int i = 0; i < 50; ++i) {
    auto lease = budgets.hold(account, cost("0.60"), start, start + 1h);
    if (lease) {
      running.push_back(std::move(*lease));
    } else {
      EXPECT_EQ(lease.error().kind, Kind::busy);
      ++busy;
    }
  }
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(busy, 49);
  EXPECT_EQ(budgets.live_leases(), 1U);
  EXPECT_TRUE(running[0].settle(cost("0.01"), start).empty());
  EXPECT_EQ(budgets.standing(account, 0, start).spent, dollars("0.01").in_picodollars());
  EXPECT_EQ(budgets.standing(account, 0, start).held, 0);

  auto next = budgets.hold(account, cost("0.60"), start, start + 1h);
  ASSERT_TRUE(next);
  const auto warnings = next->settle(cost("0.60"), start);
  EXPECT_TRUE(warnings.empty());
  // 0.61 are spent: 0.60 more never fit, whatever runs.
  const auto spent = budgets.hold(account, cost("0.60"), start, start + 1h);
  ASSERT_FALSE(spent);
  EXPECT_EQ(spent.error().kind, Kind::exhausted);
  EXPECT_EQ(spent.error().id, "key k");
  EXPECT_EQ(spent.error().left, dollars("0.39").in_picodollars());
  EXPECT_EQ(spent.error().renewed, start + 24h);
  auto last = budgets.hold(account, cost("0.39"), start, start + 1h);
  ASSERT_TRUE(last);
  last->settle(cost("0.39"), start);
  const auto at_the_cap = budgets.hold(account, cost("0.000001"), start, start + 1h);
  ASSERT_FALSE(at_the_cap);
  EXPECT_EQ(at_the_cap.error().kind, Kind::exhausted);
  EXPECT_TRUE(budgets.hold(account, cost("0"), start, start + 1h));  // what is free always fits
  EXPECT_TRUE(budgets.hold(account, cost("0.60"), start + 24h, start + 25h));
  EXPECT_EQ(budgets.live_leases(), 0U);
}

TEST(Budgets, hold_in_the_whole_tree_or_nowhere) {
  Budgets budgets;
  const Account key = account_of("key", {money("10")});
  const Account user =
      account_of("user", {money("10", false), {.unit = Budget::Unit::tokens, .cap = 100}}, OwnerKind::user);
  const Account tenant = account_of("tenant", {money("0.50", true, PeriodLength::month)}, OwnerKind::tenant);
  const Budgets::Purse path = purse_of(budgets, {&key, &user, &tenant});
  EXPECT_FALSE(budgets.hold(path, cost("0.60"), start, start + 1h));
  EXPECT_EQ(budgets.standing(path, 0, start).held, 0);
  EXPECT_EQ(budgets.standing(path, 1, start).held, 0);
  {
    auto lease = budgets.hold(path, {.money = dollars("0.40"), .tokens = 60}, start, start + 1h);
    ASSERT_TRUE(lease);
    EXPECT_EQ(budgets.standing(path, 0, start).held, dollars("0.40").in_picodollars());
    EXPECT_EQ(budgets.standing(path, 2, start).held, 60);
    EXPECT_EQ(budgets.standing(path, 3, start).held, dollars("0.40").in_picodollars());
    const auto second = budgets.hold(path, {.money = dollars("0.01"), .tokens = 60}, start, start + 1h);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, Kind::busy);
    EXPECT_EQ(second.error().owner, OwnerKind::user);
    // Spent is said before busy: waiting would not help.
    const auto third = budgets.hold(path, {.money = dollars("0.51"), .tokens = 60}, start, start + 1h);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().kind, Kind::exhausted);
    EXPECT_EQ(third.error().owner, OwnerKind::tenant);
  }
  EXPECT_EQ(budgets.standing(path, 3, start).held, 0);  // a lease that goes gives all back
  EXPECT_EQ(budgets.live_leases(), 0U);
}

TEST(Budgets, without_a_price_refuse_only_where_they_are_hard) {
  Budgets budgets;
  const Account hard_owner = account_of("hard", {money("1")});
  const Budgets::Purse hard = purse_of(budgets, {&hard_owner});
  const Account soft_owner = account_of("soft", {money("1", false), {.unit = Budget::Unit::tokens, .cap = 100}});
  const Budgets::Purse soft = purse_of(budgets, {&soft_owner});
  const auto refused = budgets.hold(hard, {.tokens = 5}, start, start + 1h);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::price_unknown);
  EXPECT_TRUE(budgets.hold(soft, {.tokens = 5}, start, start + 1h));
}

TEST(Budgets, count_an_unknown_cost_as_what_was_held) {
  Budgets budgets;
  const Account account_owner = account_of("k", {money("1")});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  auto lease = budgets.hold(account, cost("0.60"), start, start + 1h);
  ASSERT_TRUE(lease);
  lease->settle({}, start);
  EXPECT_EQ(budgets.standing(account, 0, start).spent, dollars("0.60").in_picodollars());
}

TEST(Budgets, that_are_soft_hold_what_calls_typically_cost) {
  Budgets budgets;
  const Account account_owner = account_of("k", {money("1", false)});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  auto first = budgets.hold(account, cost("0.50"), start, start + 1h);
  ASSERT_TRUE(first);
  EXPECT_EQ(budgets.standing(account, 0, start).held, dollars("0.50").in_picodollars());  // nothing learned yet
  first->settle(cost("0.01"), start);
  std::vector<Budgets::Lease> running;
  for (int i = 0; i < 200; ++i) {
    auto lease = budgets.hold(account, cost("0.50"), start, start + 1h);
    if (lease) {
      running.push_back(std::move(*lease));
    }
  }
  EXPECT_EQ(running.size(), 99U);
  for (Budgets::Lease& lease : running) {
    lease.settle(cost("0.02"), start);
  }
  EXPECT_GT(budgets.standing(account, 0, start).spent, dollars("1").in_picodollars());
  const auto over = budgets.hold(account, cost("0.50"), start, start + 1h);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, Kind::exhausted);
}

TEST(Budgets, that_are_soft_admit_a_call_as_long_as_anything_is_left) {
  Budgets budgets;
  const Account account_owner = account_of("k", {money("0.10", false)});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  auto first = budgets.hold(account, cost("0.60"), start, start + 1h);
  ASSERT_TRUE(first) << "nothing is spent";
  EXPECT_EQ(budgets.standing(account, 0, start).held, dollars("0.10").in_picodollars());
  const auto second = budgets.hold(account, cost("0.60"), start, start + 1h);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, Kind::busy);
  first->settle(cost("0.50"), start);
  EXPECT_EQ(budgets.hold(account, cost("0.60"), start, start + 1h).error().kind, Kind::exhausted);
  EXPECT_TRUE(budgets.hold(account, cost("0"), start, start + 1h)) << "what is free fits always";
  const WallTime next = start + 24h;
  EXPECT_TRUE(budgets.hold(account, cost("0.60"), next, next + 1h))
      << "though a call typically costs more than the cap";
}

TEST(Budgets, that_are_soft_learn_nothing_from_what_is_free) {
  Budgets budgets;
  const Account account_owner = account_of("k", {money("1", false)});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  budgets.hold(account, cost("0.50"), start, start + 1h)->settle(cost("0.40"), start);
  for (int i = 0; i < 100; ++i) {
    budgets.hold(account, cost("0.50"), start, start + 1h)->settle(cost("0"), start);
  }
  const auto lease = budgets.hold(account, cost("0.50"), start, start + 1h);
  EXPECT_EQ(budgets.standing(account, 0, start).held, dollars("0.40").in_picodollars());
}

TEST(Budgets, warn_once_at_80_and_at_100_percent_of_each_period) {
  Budgets budgets;
  const Account account_owner = account_of("k", {money("1")});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  const auto spend = [&](std::string_view amount, WallTime now) {
    auto lease = budgets.hold(account, cost(amount), now, now + 1h);
    EXPECT_TRUE(lease);
    std::vector<int> percents;
    for (const BudgetWarning& warning : lease->settle(cost(amount), now)) {
      EXPECT_EQ(warning.id, "k");
      percents.push_back(warning.percent);
    }
    return percents;
  };
  EXPECT_EQ(spend("0.79", start), std::vector<int>{});
  EXPECT_EQ(spend("0.01", start), std::vector<int>{80});
  EXPECT_EQ(spend("0.01", start), std::vector<int>{});
  EXPECT_EQ(spend("0.19", start), std::vector<int>{100});
  EXPECT_EQ(spend("1", start + 24h), std::vector<int>{100});
}

TEST(Budgets, give_back_what_a_dead_owner_held) {
  Budgets budgets;
  const Account account_owner = account_of("k", {money("1")});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  auto lost = budgets.hold(account, cost("0.60"), start, start + 10min);
  auto alive = budgets.hold(account, cost("0.30"), start, start + 1h);
  ASSERT_TRUE(lost && alive);
  EXPECT_EQ(budgets.expire(start + 10min - 1us), 0U);
  EXPECT_EQ(budgets.expire(start + 10min), 1U);
  EXPECT_EQ(budgets.standing(account, 0, start).held, dollars("0.30").in_picodollars());
  EXPECT_EQ(budgets.live_leases(), 1U);
  lost->settle(cost("0.05"), start + 11min);  // it was not dead after all: what it spent is told
  EXPECT_EQ(budgets.standing(account, 0, start).spent, dollars("0.05").in_picodollars());
  EXPECT_EQ(budgets.standing(account, 0, start).held, dollars("0.30").in_picodollars());
}

TEST(Budgets, do_not_begin_anew_when_the_clock_goes_back) {
  Budgets budgets;
  const Account account_owner = account_of("k", {money("1")});
  const Budgets::Purse account = purse_of(budgets, {&account_owner});
  auto lease = budgets.hold(account, cost("1"), start, start + 1h);
  ASSERT_TRUE(lease);
  lease->settle(cost("1"), start + 1s);
  EXPECT_FALSE(budgets.hold(account, cost("0.5"), start - 2h, start));
  EXPECT_FALSE(budgets.hold(account, cost("0.5"), start + 2h, start + 3h));
}

// Every way in which a call can end, over several days, with budgets of every kind; the ledger is kept beside them.
TEST(Budgets, hold_over_100_000_calls_with_every_end_and_agree_with_the_ledger) {
  std::mt19937_64 random(20261121);
  Budgets budgets;
  std::deque<Account> keys;
  std::deque<Account> users;
  for (int i = 0; i < 20; ++i) {
    keys.push_back(account_of("key " + std::to_string(i), {money("2"), money("40", true, PeriodLength::month)}));
  }
  for (int i = 0; i < 5; ++i) {
    users.push_back(account_of("user " + std::to_string(i), {money("6")}, OwnerKind::user));
  }
  const Account tenant = account_of("tenant", {money("25")}, OwnerKind::tenant);
  struct Row {
    std::size_t key;
    WallTime settled;
    std::int64_t amount;
  };
  struct Running {
    std::size_t key;
    std::int64_t worst;
    Budgets::Lease lease;
  };
  std::vector<Row> ledger;
  std::deque<Running> running;
  WallTime now = start;
  int admitted = 0;
  int busy = 0;
  int exhausted = 0;
  int lost = 0;
  const auto check = [&](const Budgets::Purse& purse, std::size_t budget, std::int64_t cap) {
    const auto standing = budgets.standing(purse, budget, now);
    ASSERT_GE(standing.held, 0);
    ASSERT_LE(standing.spent + standing.held, cap) << standing.id;
  };
  const auto end_one = [&](std::size_t index) {
    Running call = std::move(running[index]);
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(index));
    const auto settle = [&](std::int64_t amount, bool known) {
      call.lease.settle({.money = known ? std::optional(Money::picodollars(amount)) : std::nullopt}, now);
      ledger.push_back({call.key, now, amount});
    };
    switch (random() % 6) {
      case 0: settle(call.worst, true); break;
      case 1:
      case 2: settle(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(call.worst + 1)), true); break;
      case 3: settle(0, true); break;
      case 4: settle(call.worst, false); break;  // aborted, and nobody told what it cost
      default: break;                            // refused elsewhere: the lease just goes
    }
  };
  for (int i = 0; i < 100'000; ++i) {
    now += std::chrono::milliseconds(random() % 40000);
    const std::size_t key = random() % keys.size();
    const std::int64_t worst = static_cast<std::int64_t>(1 + random() % 200'000'000'000);
    const Budgets::Purse path = purse_of(budgets, {&keys[key], &users[key % users.size()], &tenant});
    auto lease = budgets.hold(path, {.money = Money::picodollars(worst)}, now, now + 1h);
    if (lease) {
      ++admitted;
      running.push_back({key, worst, std::move(*lease)});
    } else {
      ASSERT_NE(lease.error().kind, Kind::price_unknown);
      ++(lease.error().kind == Kind::busy ? busy : exhausted);
    }
    check(path, 0, dollars("2").in_picodollars());
    check(path, 1, dollars("40").in_picodollars());
    check(path, 2, dollars("6").in_picodollars());
    check(path, 3, dollars("25").in_picodollars());
    if (running.size() > 30 || (random() % 3 == 0 && !running.empty())) {
      end_one(random() % running.size());
    }
    if (i % 5000 == 4999) {  // the process dies, with all that it held
      lost += static_cast<int>(running.size());
      ASSERT_EQ(budgets.expire(now + 2h), running.size());
      running.clear();
    }
  }
  while (!running.empty()) {
    end_one(0);
  }
  EXPECT_GT(admitted, 5'000);
  EXPECT_GT(busy, 1'000);
  EXPECT_GT(exhausted, 1'000);
  EXPECT_GT(lost, 20);
  EXPECT_EQ(budgets.live_leases(), 0U);
  for (std::size_t key = 0; key < keys.size(); ++key) {
    for (const std::size_t budget : {std::size_t{0}, std::size_t{1}}) {
      const Period period = Period::make(budget == 0 ? PeriodLength::day : PeriodLength::month).value_or(Period{});
      std::int64_t sum = 0;
      for (const Row& row : ledger) {
        sum += row.key == key && row.settled >= period.span_at(now).begin ? row.amount : 0;
      }
      const auto standing = budgets.standing(purse_of(budgets, {&keys[key]}), budget, now);
      EXPECT_EQ(standing.spent, sum);
      EXPECT_EQ(standing.held, 0);
    }
  }
}

TEST(Budgets, count_on_over_a_change_of_their_caps) {
  Budgets budgets;
  const Account before = account_of("k", {money("1")});
  const Account after = account_of("k", {money("0.50"), {.unit = Budget::Unit::tokens, .cap = 10}});
  const Budgets::Purse old_purse = purse_of(budgets, {&before});
  auto lease = budgets.hold(old_purse, cost("0.40"), start, start + 1h);
  ASSERT_TRUE(lease);
  const Budgets::Purse new_purse = purse_of(budgets, {&after});
  EXPECT_FALSE(budgets.hold(new_purse, cost("0.20"), start, start + 1h));
  lease->settle(cost("0.10"), start);
  EXPECT_TRUE(budgets.hold(new_purse, cost("0.20"), start, start + 1h));
  EXPECT_FALSE(budgets.hold(new_purse, cost("0.41"), start, start + 1h));
}

TEST(Budgets, count_anew_for_those_who_spent_without_them) {
  const Account key = account_of("k", {money("1"), money("1", true, PeriodLength::month)});
  const Account other = account_of("o", {money("1")});
  Budgets budgets;
  budgets.expect(key.rules);
  EXPECT_EQ(budgets.periods_to_recount().size(), 2U);
  budgets.expect(other.rules);
  EXPECT_TRUE(budgets.periods_to_recount().empty()) << "known";
  budgets.count_anew(other.rules);
  budgets.count_anew(other.rules);
  const std::vector<Period> again = budgets.periods_to_recount();
  ASSERT_EQ(again.size(), 1U);
  const Budgets::Purse purse = purse_of(budgets, {&other});
  budgets.recount({{.kind = OwnerKind::key, .id = "o", .period = again[0], .sum = cost("0.70")}}, {}, start);
  EXPECT_FALSE(budgets.hold(purse, cost("0.31"), start, start + 1h));
  EXPECT_TRUE(budgets.hold(purse, cost("0.30"), start, start + 1h));
}

TEST(Budgets, begin_with_what_the_ledger_says) {
  const Account key = account_of("k", {money("1"), money("1", true, PeriodLength::month)});
  for (const bool opened_before : {true, false}) {
    Budgets budgets;
    budgets.await_recount();
    budgets.expect(key.rules);
    EXPECT_EQ(budgets.periods_to_recount().size(), 2U);
    EXPECT_TRUE(budgets.periods_to_recount().empty());
    if (opened_before) {
      const Budgets::Purse purse = purse_of(budgets, {&key});
      const auto early = budgets.hold(purse, cost("0.10"), start, start + 1h);
      ASSERT_FALSE(early);
      EXPECT_EQ(early.error().kind, Kind::uncounted);
      EXPECT_TRUE(budgets.hold(purse, cost("0"), start, start + 1h));
    }
    budgets.recount({{.kind = OwnerKind::key, .id = "k", .period = key.rules.budgets[0].period, .sum = cost("0.30")},
                     {.kind = OwnerKind::key, .id = "other", .period = key.rules.budgets[0].period, .sum = cost("1")}},
                    {{.kind = OwnerKind::key, .id = "k", .worst = cost("0.60"), .expires = start + 10min}}, start);
    const Budgets::Purse purse = purse_of(budgets, {&key});
    EXPECT_EQ(budgets.standing(purse, 0, start).spent, dollars("0.30").in_picodollars());
    EXPECT_EQ(budgets.standing(purse, 1, start).spent, 0);
    EXPECT_EQ(budgets.standing(purse, 0, start).held, dollars("0.60").in_picodollars());
    const auto busy = budgets.hold(purse, cost("0.20"), start, start + 1h);
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().kind, Kind::busy);
    EXPECT_TRUE(budgets.hold(purse, cost("0.20"), start + 10min, start + 1h));  // a dead process's hold is over
    // A later recount never makes it less.
    budgets.recount({{.kind = OwnerKind::key, .id = "k", .period = key.rules.budgets[0].period, .sum = cost("0.10")}},
                    {}, start);
    EXPECT_EQ(budgets.standing(purse, 0, start).spent, dollars("0.30").in_picodollars());
  }
}

TEST(Budgets, hold_among_threads) {
  Budgets budgets;
  const Account key = account_of("k", {money("1")});
  const Account tenant = account_of("t", {money("1.5")}, OwnerKind::tenant);
  const Budgets::Purse path = purse_of(budgets, {&key, &tenant});
  std::atomic<int> settled = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        auto lease = budgets.hold(path, cost("0.01"), start, start + 1h);
        if (lease && i % 2 == 0) {
          lease->settle(cost("0.01"), start);
          ++settled;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_LE(settled, 100);
  EXPECT_EQ(budgets.standing(path, 0, start).spent, dollars("0.01").in_picodollars() * settled);
  EXPECT_EQ(budgets.live_leases(), 0U);
}

}  // namespace
}  // namespace weir::ledger
