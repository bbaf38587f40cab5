// A budget refuses, and time passes.
#include "gateway/test_exchange.hpp"

namespace weir::gateway {
namespace {

using ledger::Budgets;
using ledger::Money;

/// One budget for all, of which another call holds most. The provider "a" is dear, and its one key rests for a second.
class BudgetExchangeTest : public ExchangeTest {
 protected:
  static constexpr std::int64_t cap = 1'000'000;  // picodollars
  static constexpr std::int64_t answer = 100;     // tokens at most

  void begin(std::int64_t price_of_a) {
    Allowances allowances;
    allowances.global.budgets.budgets.push_back({.cap = cap, .period = {}});
    allowances_ = std::make_shared<const Allowances>(std::move(allowances));
    const auto costs = [](std::int64_t output) {
      return ledger::Rates{.input = Money{},
                           .cached_input = std::nullopt,
                           .cache_write = std::nullopt,
                           .output = Money::picodollars(output),
                           .reasoning = std::nullopt};
    };
    core_.prices.use(std::make_shared<const ledger::PriceBook>(
        std::vector<ledger::PriceBook::Rule>{{.pattern = "a/*", .rates = costs(price_of_a), .from = std::nullopt},
                                             {.pattern = "b/*", .rates = costs(1000), .from = std::nullopt}},
        ledger::PriceBook::Sources{}));
    core_.limiter = &limiter_;
    core_.budgets = &budgets_;
    use(once());

    a_->pool = std::make_shared<providers::KeyPool>(
        "a", std::vector<providers::KeyPool::KeyOptions>{{.label = "k", .value = Secret("sk-a")}},
        providers::KeyChoice::round_robin);
    auto lease = a_->pool->take("a-model", {}, world_.now());
    a_->pool->report(*lease, "a-model", llm::Cause::rate, {.retry_after = 1s, .requests = {}, .tokens = {}},
                     world_.now());

    const Budgets::Owner all{.kind = ledger::OwnerKind::global, .id = "", .rules = &allowances_->global.budgets};
    other_purse_ = budgets_.purse({&all, 1});
    auto held = budgets_.hold(other_purse_, {.money = Money::picodollars(cap - 50'000)}, world_.wall_now(),
                              world_.wall_now() + 1h);
    ASSERT_TRUE(held.has_value());
    other_ = std::move(*held);
  }
  /// While the key rests.
  void other_ends_with(std::int64_t cost) {
    after(500ms, [this, cost] { other_.settle({.money = Money::picodollars(cost)}, world_.wall_now()); });
  }
  void ask() { run(fmt::format(R"(,"max_tokens":{})", answer), "smart", false); }

  limits::Limiter limiter_;
  Budgets budgets_;
  Budgets::Purse other_purse_;
  Budgets::Lease other_;
};

TEST_F(BudgetExchangeTest, who_could_not_be_paid_is_asked_once_the_wait_for_a_key_is_over) {
  begin(cap);  // a hundred tokens of it never fit
  b_->scripts.push_back(whole(200, reply_body));
  other_ends_with(1000);
  ask();
  EXPECT_EQ(sink_->status, 200);
  ASSERT_EQ(b_->asked_at.size(), 1U);
  EXPECT_EQ(b_->asked_at[0], began_ + 1s);
  EXPECT_EQ(record().refused_by, "");
}

TEST_F(BudgetExchangeTest, what_was_refused_before_a_wait_is_not_what_the_caller_is_told) {
  begin(cap);
  other_ends_with(cap - 50'000);  // and now no waiting helps
  ask();
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors[0].code, Code::quota_exhausted);
  EXPECT_EQ(sink_->retry_after, std::nullopt);
  EXPECT_EQ(world_.now(), began_ + 1s);
  EXPECT_TRUE(record().refused_by.ends_with("exhausted")) << record().refused_by;
}

TEST_F(BudgetExchangeTest, a_budget_that_is_still_busy_behind_the_wait_is_told_as_busy) {
  begin(1000);
  ask();
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors[0].code, Code::budget_busy);
  EXPECT_EQ(record().skipped.size(), 4U) << "the key rests; no money; and no money for either, a second later";
}

}  // namespace
}  // namespace weir::gateway
