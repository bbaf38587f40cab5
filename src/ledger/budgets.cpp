#include "ledger/budgets.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.hpp"

namespace weir::ledger {

using platform::WallTime;

/// What is counted for one owner in one unit and period.
struct Budgets::State {
  OwnerKind kind = OwnerKind::key;
  std::string id;
  Budget::Unit unit = Budget::Unit::money;
  Period period;
  // As the last call had them, for those who look.
  std::int64_t cap = 0;
  bool hard = true;

  Period::Span span{};  // that `spent` is of
  std::int64_t spent = 0;
  std::int64_t held = 0;
  std::int64_t typical = -1;  // of a call; negative: none has been settled yet
  int warned_percent = 0;
  struct Inherited {
    std::int64_t amount = 0;
    WallTime expires{};
  };
  std::vector<Inherited> inherited;  // of processes that died; over at its time
};

/// Of one lease; linked into the list of the live ones.
struct Budgets::Hold {
  struct Part {
    StatePtr state;
    std::int64_t cap = 0;
    std::int64_t amount = 0;
  };
  std::vector<Part> parts;
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

std::string_view to_string(OwnerKind kind) {
  switch (kind) {
    case OwnerKind::global: return "global";
    case OwnerKind::tenant: return "tenant";
    case OwnerKind::user: return "user";
    case OwnerKind::key: return "key";
    case OwnerKind::model: return "model";
  }
  return "global";
}

std::string_view to_words(OwnerKind kind) {
  switch (kind) {
    case OwnerKind::global: return "all callers together";
    case OwnerKind::tenant: return "this tenant";
    case OwnerKind::user: return "this user";
    case OwnerKind::key: return "this key";
    case OwnerKind::model: return "this model";
  }
  return "this caller";
}

bool Budgets::Purse::has_hard() const {
  return std::ranges::any_of(items_, [](const Item& item) { return item.budget->hard; });
}

Budgets::Purse Budgets::purse(std::span<const Owner> owners) {
  std::size_t count = 0;
  for (const Owner& owner : owners) {
    count += owner.rules == nullptr ? 0 : owner.rules->budgets.size();
  }
  Purse purse;
  if (count == 0) {
    return purse;
  }
  purse.items_.reserve(count);
  for (const Owner& owner : owners) {
    if (owner.rules == nullptr || owner.rules->empty()) {
      continue;
    }
    for (const Budget& budget : owner.rules->budgets) {
      purse.items_.push_back({.budget = &budget, .state = nullptr});
    }
  }
  {
    const std::scoped_lock lock(mutex_);
    std::size_t next = 0;
    for (const Owner& owner : owners) {
      if (owner.rules == nullptr || owner.rules->empty()) {
        continue;
      }
      const auto found = states_.find(NameView{owner.kind, owner.id});
      for (std::size_t i = 0; i < owner.rules->budgets.size(); ++i) {
        Purse::Item& item = purse.items_[next++];
        if (found == states_.end()) {
          continue;
        }
        for (const StatePtr& state : found->second) {
          if (state->unit == item.budget->unit && state->period == item.budget->period) {
            item.state = state;
          }
        }
      }
    }
  }
  std::size_t next = 0;
  for (const Owner& owner : owners) {
    for (std::size_t i = 0; owner.rules != nullptr && i < owner.rules->budgets.size(); ++i) {
      Purse::Item& item = purse.items_[next++];
      if (item.state == nullptr) {
        item.state = open(owner, *item.budget);
      }
    }
  }
  return purse;
}

/// Seen for the first time: begins with what the ledger knows of it. Rare.
Budgets::StatePtr Budgets::open(const Owner& owner, const Budget& budget) {
  const std::scoped_lock past_lock(past_mutex_);
  note_period(budget.period);
  auto made = std::make_shared<State>();
  made->kind = owner.kind;
  made->id = owner.id;
  made->unit = budget.unit;
  made->period = budget.period;
  made->cap = budget.cap;
  made->hard = budget.hard;
  const NameView name{owner.kind, owner.id};
  if (const auto found = past_.find(name); found != past_.end()) {
    for (const Counted& past : found->second) {
      if (counted_[past.span].period == budget.period) {
        made->span = counted_[past.span].span;
        made->spent = amount_of(past.sum, budget.unit);
      }
    }
  }
  if (const auto found = orphans_.find(name); found != orphans_.end()) {
    for (const Orphan& orphan : found->second) {
      made->inherited.push_back({.amount = amount_of(orphan.worst, budget.unit), .expires = orphan.expires});
    }
  }
  const std::scoped_lock lock(mutex_);
  std::vector<StatePtr>& states = states_[Name{owner.kind, std::string(owner.id)}];
  const auto found = std::ranges::find_if(
      states, [&](const StatePtr& state) { return state->unit == budget.unit && state->period == budget.period; });
  return found != states.end() ? *found : states.emplace_back(std::move(made));
}

/// Begins a new period where the old one is over. What is held stays held: those calls will be paid in the new one.
void Budgets::renew(State& state, WallTime now) {
  if (now >= state.span.begin && now < state.span.end) {
    return;
  }
  const Period::Span span = state.period.span_at(now);
  if (span.begin < state.span.begin) {
    return;  // the clock went back: a period that is over does not come again
  }
  state.span = span;
  state.spent = 0;
  state.warned_percent = 0;
}

std::int64_t Budgets::held_of(const State& state, WallTime now) {
  std::int64_t held = state.held;
  for (const State::Inherited& one : state.inherited) {
    held = one.expires > now ? sum(held, one.amount) : held;
  }
  return held;
}

std::expected<Budgets::Lease, BudgetRefusal> Budgets::hold(const Purse& purse, const Spending& worst, WallTime now,
                                                           WallTime expires) {
  Lease lease = prepare(purse, expires);
  if (auto refusal = hold(lease, purse, worst, now)) {
    return std::unexpected(*refusal);
  }
  return lease;
}

Budgets::Lease Budgets::prepare(const Purse& purse, WallTime expires) {
  Lease lease;
  if (purse.empty()) {
    return lease;
  }
  lease.budgets_ = this;
  lease.hold_ = std::make_unique<Hold>();
  lease.hold_->parts.reserve(purse.items_.size());
  for (const Purse::Item& item : purse.items_) {
    lease.hold_->parts.push_back({.state = item.state, .cap = item.budget->cap});
  }
  lease.hold_->expires = expires;
  return lease;
}

std::optional<BudgetRefusal> Budgets::hold(Lease& prepared, const Purse& purse, const Spending& worst, WallTime now) {
  if (purse.empty()) {
    return std::nullopt;
  }
  Hold& hold = *prepared.hold_;
  const std::scoped_lock lock(mutex_);
  std::optional<BudgetRefusal> refusal;
  using Kind = BudgetRefusal::Kind;
  for (std::size_t i = 0; i < hold.parts.size(); ++i) {
    Hold::Part& part = hold.parts[i];
    State& state = *part.state;
    const Budget& budget = *purse.items_[i].budget;
    state.cap = budget.cap;
    state.hard = budget.hard;
    renew(state, now);
    part.amount = amount_of(worst, budget.unit);
    const bool unknown = budget.unit == Budget::Unit::money && !worst.money;
    if (part.amount == 0 && !unknown) {
      continue;  // what is free always fits
    }
    if (!budget.hard) {
      if (state.typical >= 0) {
        part.amount = unknown ? state.typical : std::min(part.amount, state.typical);
      }
      // Never more than is left: what is left admits a call, whatever it may cost.
      part.amount = std::min(part.amount, std::max(budget.cap - state.spent, std::int64_t{0}));
    }
    std::optional<Kind> here;
    if (budget.hard && unknown) {
      here = Kind::price_unknown;
    } else if (budget.hard && uncounted_) {
      here = Kind::uncounted;
    } else if (sum(state.spent, part.amount) > budget.cap || state.spent >= budget.cap) {
      here = Kind::exhausted;
    } else if (sum(sum(state.spent, held_of(state, now)), part.amount) > budget.cap) {
      here = Kind::busy;
    }
    // What no waiting helps against is said before what it helps against.
    const auto waiting_helps = [](Kind kind) { return kind == Kind::busy || kind == Kind::uncounted; };
    if (here && (!refusal || (waiting_helps(refusal->kind) && !waiting_helps(*here)))) {
      refusal = BudgetRefusal{.kind = *here,
                              .owner = state.kind,
                              .id = state.id,
                              .budget = &budget,
                              .asked = part.amount,
                              .left = std::max(budget.cap - state.spent, std::int64_t{0}),
                              .renewed = state.span.end};
    }
  }
  if (refusal) {
    return refusal;
  }
  take(hold);
  return std::nullopt;
}

/// Holds the amounts, and links the hold into the list. Under the lock.
void Budgets::take(Hold& hold) {
  for (const Hold::Part& part : hold.parts) {
    part.state->held = sum(part.state->held, part.amount);
  }
  hold.live = true;
  hold.next = first_;
  if (first_ != nullptr) {
    first_->previous = &hold;
  }
  first_ = &hold;
  ++live_;
}

/// Takes what is held off the budgets, if that was not done before. Under the lock.
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
  for (const Hold::Part& part : hold.parts) {
    part.state->held -= part.amount;
    WEIR_ASSERT(part.state->held >= 0, "more was given back than was held");
  }
}

void Budgets::give_back(Hold& hold) {
  const std::scoped_lock lock(mutex_);
  unlink(hold);
}

std::vector<BudgetWarning> Budgets::settle(Hold& hold, const Spending& actual, WallTime now) {
  // The hold's own parts tell afterwards who crossed a line, so that nothing is allocated under the lock.
  bool any = false;
  {
    const std::scoped_lock lock(mutex_);
    unlink(hold);
    for (Hold::Part& part : hold.parts) {
      State& state = *part.state;
      renew(state, now);
      const bool unknown = state.unit == Budget::Unit::money && !actual.money;
      const std::int64_t amount = unknown ? part.amount : amount_of(actual, state.unit);
      state.spent = sum(state.spent, amount);
      // A sixteenth of the new one: follows slowly, without jumping at a single dear call. One that cost nothing,
      // because it was refused or went to a free target, tells nothing of the others.
      if (amount > 0) {
        state.typical = state.typical < 0 ? amount : state.typical + (amount - state.typical) / 16;
      }
      int percent = 0;
      for (const int line : {80, 100}) {
        if (static_cast<__int128>(state.spent) * 100 >= static_cast<__int128>(part.cap) * line &&
            state.warned_percent < line) {
          percent = line;
        }
      }
      state.warned_percent = std::max(state.warned_percent, percent);
      any = any || percent != 0;
      part.amount = percent == 0 ? -1 : state.spent;
    }
  }
  std::vector<BudgetWarning> warnings;
  for (const Hold::Part& part : hold.parts) {
    if (any && part.amount >= 0) {
      warnings.push_back({.owner = part.state->kind,
                          .id = part.state->id,
                          .unit = part.state->unit,
                          .period = part.state->period.length(),
                          .cap = part.cap,
                          .spent = part.amount,
                          .percent = static_cast<__int128>(part.amount) >= static_cast<__int128>(part.cap) ? 100 : 80});
    }
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

Budgets::Standing Budgets::standing_of(State& state, WallTime now) const {
  Standing standing{.owner = state.kind, .id = state.id, .unit = state.unit, .period = state.period.length()};
  const std::scoped_lock lock(mutex_);
  renew(state, now);
  standing.hard = state.hard;
  standing.cap = state.cap;
  standing.spent = state.spent;
  standing.held = held_of(state, now);
  standing.renewed = state.span.end;
  return standing;
}

Budgets::Standing Budgets::standing(const Purse& purse, std::size_t index, WallTime now) const {
  return standing_of(*purse.items_.at(index).state, now);
}

std::vector<Budgets::Standing> Budgets::standings(WallTime now, std::size_t most) const {
  std::vector<StatePtr> states;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, ofs] : states_) {
      for (const StatePtr& state : ofs) {
        if (states.size() < most) {
          states.push_back(state);
        }
      }
    }
  }
  std::vector<Standing> standings;
  for (const StatePtr& state : states) {
    standings.push_back(standing_of(*state, now));
  }
  std::ranges::sort(standings, {},
                    [](const Standing& one) { return std::tie(one.owner, one.id, one.unit, one.period); });
  return standings;
}

void Budgets::await_recount() {
  const std::scoped_lock lock(mutex_);
  uncounted_ = true;
}

void Budgets::go_on_uncounted() {
  const std::scoped_lock lock(mutex_);
  uncounted_ = false;
}

void Budgets::note_period(const Period& period) {
  if (std::ranges::find(periods_, period) == periods_.end()) {
    periods_.push_back(period);
    to_recount_.push_back(period);
  }
}

void Budgets::expect(const BudgetRules& rules) {
  const std::scoped_lock lock(past_mutex_);
  for (const Budget& budget : rules.budgets) {
    note_period(budget.period);
  }
}

void Budgets::count_anew(const BudgetRules& rules) {
  const std::scoped_lock lock(past_mutex_);
  for (const Budget& budget : rules.budgets) {
    note_period(budget.period);
    if (std::ranges::find(to_recount_, budget.period) == to_recount_.end()) {
      to_recount_.push_back(budget.period);
    }
  }
}

std::uint32_t Budgets::place_of(const CountedSpan& span) {
  auto found = std::ranges::find(counted_, span);
  if (found == counted_.end()) {
    found = counted_.insert(counted_.end(), span);
  }
  return static_cast<std::uint32_t>(found - counted_.begin());
}

std::vector<Period> Budgets::periods_to_recount() {
  const std::scoped_lock lock(past_mutex_);
  return std::exchange(to_recount_, {});
}

void Budgets::recount(std::vector<Past> past, std::vector<Orphan> orphans, WallTime now) {
  const std::scoped_lock past_lock(past_mutex_);
  for (const Past& one : past) {
    std::vector<StatePtr> states;
    {
      const std::scoped_lock lock(mutex_);
      if (const auto found = states_.find(NameView{one.kind, one.id}); found != states_.end()) {
        states = found->second;
      }
    }
    for (const StatePtr& state : states) {
      if (state->period == one.period) {
        const std::scoped_lock lock(mutex_);
        renew(*state, now);
        // What was counted here may not have come into the ledger yet, and the other way round.
        state->spent = std::max(state->spent, amount_of(one.sum, state->unit));
      }
    }
    std::vector<Counted>& kept = past_[Name{one.kind, one.id}];
    std::erase_if(kept, [&](const Counted& other) { return counted_[other.span].period == one.period; });
    kept.push_back({.span = place_of({.period = one.period, .span = one.period.span_at(now)}), .sum = one.sum});
  }
  for (Orphan& one : orphans) {
    std::vector<StatePtr> states;
    {
      const std::scoped_lock lock(mutex_);
      if (const auto found = states_.find(NameView{one.kind, one.id}); found != states_.end()) {
        states = found->second;
      }
    }
    for (const StatePtr& state : states) {
      std::vector<State::Inherited> inherited;
      inherited.reserve(state->inherited.size() + 1);
      const std::scoped_lock lock(mutex_);
      inherited.assign(state->inherited.begin(), state->inherited.end());
      inherited.push_back({.amount = amount_of(one.worst, state->unit), .expires = one.expires});
      std::swap(state->inherited, inherited);
    }
    orphans_[Name{one.kind, one.id}].push_back(std::move(one));
  }
  const std::scoped_lock lock(mutex_);
  uncounted_ = false;
}

Budgets::Lease::Lease() = default;

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
