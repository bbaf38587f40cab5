#include "ledger/recount.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_map>
#include <utility>

#include "store/call_form.hpp"

namespace weir::ledger {

namespace {

using platform::WallTime;
using store::CallCharge;

Spending spending(const CallCharge::Amount& amount) {
  return {.money = amount.picodollars ? std::optional(Money::picodollars(*amount.picodollars)) : std::nullopt,
          .tokens = amount.tokens,
          .output_tokens = amount.output_tokens};
}

void add(Spending& sum, const Spending& more) {
  sum.money = sum.money.value_or(Money{}) + more.money.value_or(Money{});
  sum.tokens += more.tokens;
  sum.output_tokens += more.output_tokens;
}

/// All calls of the same payers. Most of many calls are of few.
struct Payers {
  std::string tenant;
  std::string user;
  std::string key_id;
  std::string route;
  std::vector<std::optional<Spending>> sums;  // by period; absent: none of them counts in it
  std::vector<CallCharge::Open> open;         // that still hold something
};

/// The payers of the calls that it is shown.
class AllPayers {
 public:
  explicit AllPayers(std::size_t periods) : periods_(periods) {}

  Payers& of(const CallCharge& charge) {
    name_.clear();
    for (const std::string* part : {&charge.tenant, &charge.user, &charge.key_id, &charge.route}) {
      name_.append(*part).push_back('\0');
    }
    const auto [found, is_new] = all_.try_emplace(name_);
    if (is_new) {
      found->second = {.tenant = charge.tenant,
                       .user = charge.user,
                       .key_id = charge.key_id,
                       .route = charge.route,
                       .sums = std::vector<std::optional<Spending>>(periods_),
                       .open = {}};
    }
    return found->second;
  }
  [[nodiscard]] const std::unordered_map<std::string, Payers>& payers() const { return all_; }

 private:
  std::size_t periods_;
  std::string name_;
  std::unordered_map<std::string, Payers> all_;
};

struct Key {
  OwnerKind kind;
  std::string id;
  std::size_t period;
  friend auto operator<=>(const Key&, const Key&) = default;
};

/// Everybody whose budgets a call of these payers counts in.
std::vector<std::pair<OwnerKind, std::string>> owners_of(const Payers& payers, const Recount::TenantsAbove& above) {
  std::vector<std::pair<OwnerKind, std::string>> owners = {
      {OwnerKind::global, ""}, {OwnerKind::tenant, payers.tenant}, {OwnerKind::model, payers.route}};
  for (std::string& tenant : above(payers.tenant)) {
    owners.emplace_back(OwnerKind::tenant, std::move(tenant));
  }
  if (!payers.user.empty()) {
    owners.emplace_back(OwnerKind::user, user_id(payers.tenant, payers.user));
  }
  if (!payers.key_id.empty()) {
    owners.emplace_back(OwnerKind::key, payers.key_id);
  }
  return owners;
}

}  // namespace

Result<bool> Recount::run(store::RequestLog& requests, WallTime now) {
  for (const Period& period : budgets_.periods_to_recount()) {
    periods_.push_back(period);
  }
  if (periods_.empty()) {
    if (std::exchange(first_, false)) {
      budgets_.go_on_uncounted();
    }
    return false;
  }
  std::vector<Period::Span> spans;
  WallTime earliest = WallTime::max();
  for (const Period& period : periods_) {
    spans.push_back(period.span_at(now));
    earliest = std::min(earliest, spans.back().begin);
  }
  AllPayers all(periods_.size());
  // A call counts when it has ended, and began at most a day before.
  const std::string from =
      earliest == WallTime::min() ? std::string() : store::first_id_at(earliest - std::chrono::hours(24));
  const auto visited = requests.visit(from, [&](std::string_view record) {
    const auto charge = store::charge_of(record);
    if (!charge) {
      return;  // damaged: nobody can sum it up
    }
    Payers& payers = all.of(*charge);
    for (std::size_t i = 0; i < spans.size(); ++i) {
      if (charge->ended >= spans[i].begin && charge->ended < spans[i].end) {
        Spending& sum = payers.sums[i] ? *payers.sums[i] : payers.sums[i].emplace(Spending{.money = Money{}});
        for (const CallCharge::Amount& attempt : charge->attempts) {
          add(sum, spending(attempt));
        }
      }
    }
    for (const CallCharge::Open& open : charge->open) {
      if (first_ && open.expires > now) {
        payers.open.push_back(open);
      }
    }
  });
  if (!visited) {
    return std::unexpected(visited.error());
  }
  std::map<Key, Spending> sums;
  std::vector<Budgets::Orphan> orphans;
  for (const auto& [name, payers] : all.payers()) {
    for (const auto& [kind, id] : owners_of(payers, above_)) {
      for (std::size_t i = 0; i < periods_.size(); ++i) {
        if (payers.sums[i]) {
          add(sums[{.kind = kind, .id = id, .period = i}], *payers.sums[i]);
        }
      }
      for (const CallCharge::Open& open : payers.open) {
        orphans.push_back({.kind = kind, .id = id, .worst = spending(open.worst), .expires = open.expires});
      }
    }
  }
  std::vector<Budgets::Past> past;
  past.reserve(sums.size());
  for (auto& [key, sum] : sums) {
    past.push_back({.kind = key.kind, .id = key.id, .period = periods_[key.period], .sum = sum});
  }
  budgets_.recount(std::move(past), std::move(orphans), now);
  periods_.clear();
  first_ = false;
  return true;
}

}  // namespace weir::ledger
