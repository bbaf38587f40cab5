#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/budget_rules.hpp"
#include "ledger/money.hpp"
#include "ledger/period.hpp"
#include "platform/clock.hpp"

namespace weir::ledger {

/// What a call can cost, or did.
struct Spending {
  std::optional<Money> money;  // absent: unknown, because there is no price
  std::int64_t tokens = 0;
  std::int64_t output_tokens = 0;
};

/// Whose budget it is.
enum class OwnerKind : std::uint8_t { global, tenant, user, key, model };
std::string_view to_string(OwnerKind kind);
/// "all callers together", "this tenant", "this key" ...
std::string_view to_words(OwnerKind kind);

/// A user's name is his tenant's own.
inline std::string user_id(std::string_view tenant, std::string_view user) {
  return std::string(tenant) + "/" + std::string(user);
}

/// Why a call may not be paid for. Views live as long as the purse.
struct BudgetRefusal {
  enum class Kind : std::uint8_t {
    exhausted,      // 402: it would not fit if every call that runs cost nothing
    busy,           // 429: it fits once enough of those that run turned out cheaper than their holds
    price_unknown,  // 403: nobody knows what it costs, and the budget is hard
    uncounted,      // 503: what was spent before this process began is not known yet
  };
  Kind kind = Kind::exhausted;
  OwnerKind owner = OwnerKind::key;
  std::string_view id;
  const Budget* budget = nullptr;
  std::int64_t asked = 0;
  std::int64_t left = 0;  // of the cap, if nothing were held
  platform::WallTime renewed{};
};

/// 80 or 100 percent of a budget are spent; told once in each period.
struct BudgetWarning {
  OwnerKind owner = OwnerKind::key;
  std::string id;
  Budget::Unit unit = Budget::Unit::money;
  PeriodLength period = PeriodLength::month;
  std::int64_t cap = 0;
  std::int64_t spent = 0;
  int percent = 80;
};

/// The budgets of all callers, of keys, users, tenants and models, and what is spent and held of them.
///
/// What is counted belongs to an owner, a unit and a period; caps may change from call to call. Thread-safe: one lock,
/// held for a fraction of a microsecond; nothing is allocated under it but where an owner is seen for the first time.
/// Outlives its purses and leases.
class Budgets {
 public:
  class Purse;
  class Lease;

  /// One who pays. The rules live as long as the purse.
  struct Owner {
    OwnerKind kind = OwnerKind::key;
    std::string_view id;
    const BudgetRules* rules = nullptr;
  };
  /// What one call is paid from: all budgets of all of them. Empty where nobody has any.
  Purse purse(std::span<const Owner> owners);

  /// Holds `worst` (or what is typical) in every budget of the purse, or nothing in any. `expires`: when the hold may
  /// be given back although nobody did.
  std::expected<Lease, BudgetRefusal> hold(const Purse& purse, const Spending& worst, platform::WallTime now,
                                           platform::WallTime expires);
  /// The same in two steps: the memory, and the decision, which allocates nothing and may be a part of another one.
  Lease prepare(const Purse& purse, platform::WallTime expires);
  std::optional<BudgetRefusal> hold(Lease& prepared, const Purse& purse, const Spending& worst, platform::WallTime now);

  /// Gives back what is held by leases that are over their time. How many they were.
  std::size_t expire(platform::WallTime now);
  [[nodiscard]] std::size_t live_leases() const;

  /// How one budget stands.
  struct Standing {
    OwnerKind owner = OwnerKind::key;
    std::string id;
    Budget::Unit unit = Budget::Unit::money;
    PeriodLength period = PeriodLength::month;
    bool hard = true;
    std::int64_t cap = 0;
    std::int64_t spent = 0;
    std::int64_t held = 0;
    platform::WallTime renewed{};
  };
  /// Of the purse's budget at that place.
  [[nodiscard]] Standing standing(const Purse& purse, std::size_t index, platform::WallTime now) const;
  /// All that were asked so far, at most `most`.
  [[nodiscard]] std::vector<Standing> standings(platform::WallTime now, std::size_t most) const;

  // What earlier processes spent.

  /// From now on hard budgets refuse, until recount() or go_on_uncounted().
  void await_recount();
  void go_on_uncounted();
  /// What the ledger says of one owner's period.
  struct Past {
    OwnerKind kind = OwnerKind::key;
    std::string id;
    Period period;
    Spending sum;
  };
  /// A call of a process that died, whose end nobody saw: it may have cost that much, which stays held for a while.
  struct Orphan {
    OwnerKind kind = OwnerKind::key;
    std::string id;
    Spending worst;
    platform::WallTime expires{};
  };
  /// Never makes anything less than what was counted here. `now`: a moment of the period that the sums are of.
  void recount(std::vector<Past> past, std::vector<Orphan> orphans, platform::WallTime now);
  /// Periods that budgets have and nobody recounted, or that have to be counted once more; once each.
  [[nodiscard]] std::vector<Period> periods_to_recount();
  /// These will be asked for.
  void expect(const BudgetRules& rules);
  /// These hold from now on for somebody who spent without them: also where their periods are counted for others.
  void count_anew(const BudgetRules& rules);

 private:
  struct Hold;
  struct State;
  using StatePtr = std::shared_ptr<State>;
  struct Name {
    OwnerKind kind;
    std::string id;
  };
  struct NameView {
    OwnerKind kind;
    std::string_view id;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const NameView& name) const {
      return std::hash<std::string_view>{}(name.id) * 31 + static_cast<std::size_t>(name.kind);
    }
    std::size_t operator()(const Name& name) const { return (*this)(NameView{name.kind, name.id}); }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.kind == b.kind && std::string_view(a.id) == std::string_view(b.id);
    }
  };
  template <class T>
  using ByOwner = std::unordered_map<Name, std::vector<T>, Hash, Equal>;

  /// A sum of past_: there are many, and few spans that they are of.
  struct Counted {
    std::uint32_t span;  // its place in counted_
    Spending sum;
  };
  struct CountedSpan {
    Period period;
    Period::Span span;
    friend bool operator==(const CountedSpan&, const CountedSpan&) = default;
  };

  static void renew(State& state, platform::WallTime now);
  static std::int64_t held_of(const State& state, platform::WallTime now);
  Standing standing_of(State& state, platform::WallTime now) const;
  StatePtr open(const Owner& owner, const Budget& budget);
  void note_period(const Period& period);
  std::uint32_t place_of(const CountedSpan& span);
  std::vector<BudgetWarning> settle(Hold& hold, const Spending& actual, platform::WallTime now);
  void give_back(Hold& hold);
  void take(Hold& hold);
  void unlink(Hold& hold);

  mutable std::mutex mutex_;
  ByOwner<StatePtr> states_;
  Hold* first_ = nullptr;  // of the live ones
  std::size_t live_ = 0;
  bool uncounted_ = false;

  std::mutex past_mutex_;  // taken before the other
  ByOwner<Counted> past_;
  std::vector<CountedSpan> counted_;
  ByOwner<Orphan> orphans_;
  std::vector<Period> periods_;
  std::vector<Period> to_recount_;
};

/// The budgets that one call is paid from, found once. Belongs to its call.
class Budgets::Purse {
 public:
  [[nodiscard]] bool empty() const { return items_.empty(); }
  /// True where a call must not use more than it held.
  [[nodiscard]] bool has_hard() const;

 private:
  friend class Budgets;
  struct Item {
    const Budget* budget = nullptr;
    std::shared_ptr<State> state;
  };
  std::vector<Item> items_;
};

/// What one attempt holds. Settled with what it cost, or given back whole when it is destroyed. Belongs to its call.
class Budgets::Lease {
 public:
  Lease();
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();

  [[nodiscard]] explicit operator bool() const { return hold_ != nullptr; }
  /// Once; what was held and not spent is free again. Unknown money of a hard budget counts as the hold: what may have
  /// been spent is not given out a second time.
  std::vector<BudgetWarning> settle(const Spending& actual, platform::WallTime now);
  /// Nothing was spent.
  void give_back();

 private:
  friend class Budgets;
  Budgets* budgets_ = nullptr;
  std::unique_ptr<Hold> hold_;
};

}  // namespace weir::ledger
