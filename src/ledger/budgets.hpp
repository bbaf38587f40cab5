#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
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

/// Why a call may not be paid for.
struct BudgetRefusal {
  enum class Kind : std::uint8_t {
    exhausted,      // 402: it would not fit if every call that runs cost nothing
    busy,           // 429: it fits once enough of those that run turned out cheaper than their holds
    price_unknown,  // 403: nobody knows what it costs, and the budget is hard
  };
  Kind kind = Kind::exhausted;
  std::string owner;
  Budget::Unit unit = Budget::Unit::money;
  std::int64_t cap = 0;
  std::int64_t left = 0;  // of the cap, if nothing were held
  platform::WallTime renewed{};
};

/// 80 or 100 percent of a budget are spent; told once in each period.
struct BudgetWarning {
  std::string owner;
  Budget::Unit unit = Budget::Unit::money;
  std::int64_t cap = 0;
  std::int64_t spent = 0;
  int percent = 80;
};

/// The budgets of keys, users, tenants and models, and what is spent and held of them.
///
/// Thread-safe: one lock, held for a fraction of a microsecond; nothing is allocated under it. Outlives its leases.
class Budgets {
 public:
  static constexpr std::size_t accounts_per_call_max = 5;
  static constexpr std::size_t budgets_per_account_max = budgets_max;

  class Account;
  class Lease;

  /// The budgets of one owner. At most budgets_per_account_max.
  static std::shared_ptr<Account> open(std::string owner, std::vector<Budget> budgets);

  /// Holds `worst` (or what is typical) in every budget of every account, or nothing in any: a key, its user, its
  /// tenant. At most accounts_per_call_max. `expires`: when the hold of an owner that died may be given back.
  std::expected<Lease, BudgetRefusal> hold(std::span<const std::shared_ptr<Account>> accounts, const Spending& worst,
                                           platform::WallTime now, platform::WallTime expires);

  /// Gives back what is held by leases that are over their time: their owner is dead. How many they were.
  std::size_t expire(platform::WallTime now);
  [[nodiscard]] std::size_t live_leases() const;

  struct Standing {
    std::int64_t spent = 0;
    std::int64_t held = 0;
  };
  [[nodiscard]] Standing standing(const Account& account, std::size_t budget, platform::WallTime now) const;
  /// What the ledger's rows of the current period say, in place of what was counted.
  void recount(Account& account, std::size_t budget, std::int64_t spent, platform::WallTime now);

 private:
  struct Hold;
  struct State {
    Budget budget;
    Period::Span span{};  // that `spent` is of
    std::int64_t spent = 0;
    std::int64_t held = 0;
    std::int64_t typical = -1;  // of a call; negative: none has been settled yet
    int warned_percent = 0;
  };
  static void renew(State& state, platform::WallTime now);
  std::vector<BudgetWarning> settle(Hold& hold, const Spending& actual, platform::WallTime now);
  void give_back(Hold& hold);
  void take(Hold& hold);
  void unlink(Hold& hold);

  mutable std::mutex mutex_;
  Hold* first_ = nullptr;  // of the live ones
  std::size_t live_ = 0;
};

/// What one attempt holds. Settled with what it cost, or given back whole when it is destroyed. Belongs to its call.
class Budgets::Lease {
 public:
  Lease() = default;
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();

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

class Budgets::Account {
 public:
  Account(std::string owner, std::vector<Budget> budgets);
  [[nodiscard]] const std::string& owner() const { return owner_; }

 private:
  friend class Budgets;
  std::string owner_;
  std::vector<State> states_;
};

}  // namespace weir::ledger
