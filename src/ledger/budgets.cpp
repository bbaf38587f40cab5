#include "ledger/budgets.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace weir::ledger {

using platform::WallTime;

/// Of one lease; linked into the list of the live ones.
struct Budgets::Hold {
  struct Part {
    std::shared_ptr<Account> account;
    std::array<std::int64_t, budgets_per_account_max> amounts{};
  };
  std::array<Part, accounts_per_call_max> parts;
  std::size_t count = 0;
  WallTime expires{};
  bool live = false;
  Hold* next = nullptr;
  Hold* previous = nullptr;
};

namespace {

std::int64_t amount_of(const Spending& spending, Budget::Unit unit) {
  switch (unit) {
    case Budget::Unit::money: return spending.money.value_or(Money{}).in_picodollars();
    case Budget::Unit::tokens: return spending.tokens;
    case Budget::Unit::output_tokens: return spending.output_tokens;
  }
  return 0;
}

/// Without wrapping: sums of bounded amounts that an operator could still make too large.
std::int64_t sum(std::int64_t a, std::int64_t b) {
  return (Money::picodollars(a) + Money::picodollars(b)).in_picodollars();
}

}  // namespace

Budgets::Account::Account(std::string owner, std::vector<Budget> budgets) : owner_(std::move(owner)) {
  WEIR_ASSERT(budgets.size() <= budgets_per_account_max, "the configuration was checked");
  for (const Budget& budget : budgets) {
    states_.push_back({.budget = budget});
  }
}

std::shared_ptr<Budgets::Account> Budgets::open(std::string owner, std::vector<Budget> budgets) {
  return std::make_shared<Account>(std::move(owner), std::move(budgets));
}

/// Begins a new period where the old one is over. What is held stays held: those calls will be paid in the new one.
void Budgets::renew(State& state, WallTime now) {
  if (now >= state.span.begin && now < state.span.end) {
    return;
  }
  const Period::Span span = state.budget.period.span_at(now);
  if (span.begin < state.span.begin) {
    return;  // the clock went back: a period that is over does not come again
  }
  state.span = span;
  state.spent = 0;
  state.warned_percent = 0;
}

std::expected<Budgets::Lease, BudgetRefusal> Budgets::hold(std::span<const std::shared_ptr<Account>> accounts,
                                                           const Spending& worst, WallTime now, WallTime expires) {
  WEIR_ASSERT(accounts.size() <= accounts_per_call_max, "a call has few payers");
  auto hold = std::make_unique<Hold>();
  for (const std::shared_ptr<Account>& account : accounts) {
    hold->parts[hold->count++].account = account;
  }
  hold->expires = expires;
  std::optional<BudgetRefusal> refusal;
  const Account* payer = nullptr;  // whose budget refuses
  {
    const std::scoped_lock lock(mutex_);
    std::optional<BudgetRefusal::Kind> kind;
    const State* refusing = nullptr;
    for (std::size_t i = 0; i < hold->count; ++i) {
      Hold::Part& part = hold->parts[i];
      for (std::size_t j = 0; j < part.account->states_.size(); ++j) {
        State& state = part.account->states_[j];
        renew(state, now);
        const Budget& budget = state.budget;
        std::int64_t& amount = part.amounts[j];
        amount = amount_of(worst, budget.unit);
        if (!budget.hard && state.typical >= 0) {
          amount = std::min(amount, state.typical);
        }
        std::optional<BudgetRefusal::Kind> here;
        if (budget.hard && budget.unit == Budget::Unit::money && !worst.money) {
          here = BudgetRefusal::Kind::price_unknown;
        } else if (amount == 0 && budget.hard) {
          continue;  // what is free always fits
        } else if (sum(state.spent, amount) > budget.cap || state.spent >= budget.cap) {
          here = BudgetRefusal::Kind::exhausted;
        } else if (sum(sum(state.spent, state.held), amount) > budget.cap) {
          here = BudgetRefusal::Kind::busy;
        }
        // What no waiting helps against is said before what it helps against.
        if (here && (!kind || (*kind == BudgetRefusal::Kind::busy && *here != BudgetRefusal::Kind::busy))) {
          kind = here;
          refusing = &state;
          payer = part.account.get();
        }
      }
    }
    if (kind) {
      refusal = {.kind = *kind,
                 .owner = {},
                 .unit = refusing->budget.unit,
                 .cap = refusing->budget.cap,
                 .left = std::max(refusing->budget.cap - refusing->spent, std::int64_t{0}),
                 .renewed = refusing->span.end};
    } else {
      take(*hold);
    }
  }
  if (refusal) {
    refusal->owner = payer->owner_;
    return std::unexpected(std::move(*refusal));
  }
  Lease lease;
  lease.budgets_ = this;
  lease.hold_ = std::move(hold);
  return lease;
}

/// Holds the amounts, and links the hold into the list. Under the lock.
void Budgets::take(Hold& hold) {
  for (std::size_t i = 0; i < hold.count; ++i) {
    for (std::size_t j = 0; j < hold.parts[i].account->states_.size(); ++j) {
      State& state = hold.parts[i].account->states_[j];
      state.held = sum(state.held, hold.parts[i].amounts[j]);
    }
  }
  hold.live = true;
  hold.next = first_;
  if (first_ != nullptr) {
    first_->previous = &hold;
  }
  first_ = &hold;
  ++live_;
}

/// Takes what is held off the accounts, if that was not done before. Under the lock.
void Budgets::unlink(Hold& hold) {
  if (!hold.live) {
    return;
  }
  hold.live = false;
  (hold.previous != nullptr ? hold.previous->next : first_) = hold.next;
  if (hold.next != nullptr) {
    hold.next->previous = hold.previous;
  }
  --live_;
  for (std::size_t i = 0; i < hold.count; ++i) {
    for (std::size_t j = 0; j < hold.parts[i].account->states_.size(); ++j) {
      State& state = hold.parts[i].account->states_[j];
      state.held -= hold.parts[i].amounts[j];
      WEIR_ASSERT(state.held >= 0, "more was given back than was held");
    }
  }
}

void Budgets::give_back(Hold& hold) {
  const std::scoped_lock lock(mutex_);
  unlink(hold);
}

std::vector<BudgetWarning> Budgets::settle(Hold& hold, const Spending& actual, WallTime now) {
  struct Crossed {
    const Account* account;
    const State* state;
    int percent;
    std::int64_t spent;
  };
  std::array<Crossed, accounts_per_call_max * budgets_per_account_max> crossed;
  std::size_t count = 0;
  {
    const std::scoped_lock lock(mutex_);
    unlink(hold);
    for (std::size_t i = 0; i < hold.count; ++i) {
      Account& account = *hold.parts[i].account;
      for (std::size_t j = 0; j < account.states_.size(); ++j) {
        State& state = account.states_[j];
        renew(state, now);
        const bool unknown = state.budget.unit == Budget::Unit::money && !actual.money;
        const std::int64_t amount = unknown ? hold.parts[i].amounts[j] : amount_of(actual, state.budget.unit);
        state.spent = sum(state.spent, amount);
        // A sixteenth of the new one: follows slowly, without jumping at a single dear call.
        state.typical = state.typical < 0 ? amount : state.typical + (amount - state.typical) / 16;
        for (const int percent : {100, 80}) {
          if (static_cast<__int128>(state.spent) * 100 >= static_cast<__int128>(state.budget.cap) * percent &&
              state.warned_percent < percent) {
            state.warned_percent = percent;
            crossed[count++] = {&account, &state, percent, state.spent};
          }
        }
      }
    }
  }
  std::vector<BudgetWarning> warnings;
  for (std::size_t i = 0; i < count; ++i) {
    const Budget& budget = crossed[i].state->budget;
    warnings.push_back({.owner = crossed[i].account->owner_,
                        .unit = budget.unit,
                        .cap = budget.cap,
                        .spent = crossed[i].spent,
                        .percent = crossed[i].percent});
  }
  return warnings;
}

std::size_t Budgets::expire(WallTime now) {
  const std::scoped_lock lock(mutex_);
  std::size_t expired = 0;
  for (Hold* hold = first_; hold != nullptr;) {
    Hold* const next = hold->next;
    if (hold->expires <= now) {
      unlink(*hold);
      ++expired;
    }
    hold = next;
  }
  return expired;
}

std::size_t Budgets::live_leases() const {
  const std::scoped_lock lock(mutex_);
  return live_;
}

Budgets::Standing Budgets::standing(const Account& account, std::size_t budget, WallTime now) const {
  const std::scoped_lock lock(mutex_);
  State state = account.states_.at(budget);
  renew(state, now);
  return {.spent = state.spent, .held = state.held};
}

void Budgets::recount(Account& account, std::size_t budget, std::int64_t spent, WallTime now) {
  const std::scoped_lock lock(mutex_);
  State& state = account.states_.at(budget);
  renew(state, now);
  state.spent = spent;
}

Budgets::Lease::Lease(Lease&& other) noexcept
    : budgets_(std::exchange(other.budgets_, nullptr)), hold_(std::move(other.hold_)) {}

Budgets::Lease& Budgets::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back();
    budgets_ = std::exchange(other.budgets_, nullptr);
    hold_ = std::move(other.hold_);
  }
  return *this;
}

Budgets::Lease::~Lease() {
  give_back();
}

std::vector<BudgetWarning> Budgets::Lease::settle(const Spending& actual, WallTime now) {
  if (hold_ == nullptr) {
    return {};
  }
  auto warnings = budgets_->settle(*hold_, actual, now);
  hold_.reset();
  return warnings;
}

void Budgets::Lease::give_back() {
  if (hold_ != nullptr) {
    budgets_->give_back(*hold_);
    hold_.reset();
  }
}

}  // namespace weir::ledger
