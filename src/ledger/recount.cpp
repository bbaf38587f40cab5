#include "ledger/recount.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "observe/json_time.hpp"
#include "text/json_scan.hpp"
#include "text/json_value.hpp"

namespace weir::ledger {

namespace {

using platform::WallTime;
using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

std::string text_of(const JsonValue& value) {
  return value.kind == JsonKind::string ? text::unescape_lossy(value.string_raw()) : std::string();
}

WallTime time_of(const JsonValue& value) {
  return observe::parse_rfc3339(text_of(value)).value_or(WallTime{});
}

void add(Spending& sum, const Spending& more) {
  sum.money = sum.money.value_or(Money{}) + more.money.value_or(Money{});
  sum.tokens += more.tokens;
  sum.output_tokens += more.output_tokens;
}

CallCharge::Open reserved_of(const JsonValue& object) {
  CallCharge::Open open;
  text::for_each_member(object.raw, [&](const JsonMember& member) {
    if (member.key_raw == "usd") {
      open.worst.money = Money::parse(member.value.raw);
    } else if (member.key_raw == "tokens") {
      open.worst.tokens = text::to_int64(member.value).value_or(0);
    } else if (member.key_raw == "output_tokens") {
      open.worst.output_tokens = text::to_int64(member.value).value_or(0);
    } else if (member.key_raw == "until") {
      open.expires = time_of(member.value);
    }
  });
  return open;
}

void add_attempt(CallCharge& charge, const JsonValue& attempt) {
  Spending spent;
  std::optional<Money> charged;
  std::optional<CallCharge::Open> open;
  bool unknown = false;
  text::for_each_member(attempt.raw, [&](const JsonMember& member) {
    const JsonValue& value = member.value;
    if (member.key_raw == "cost_usd") {
      spent.money = Money::parse(value.raw);
    } else if (member.key_raw == "charged_usd") {
      charged = Money::parse(value.raw);
    } else if (member.key_raw == "tokens_in") {
      spent.tokens += text::to_int64(value).value_or(0);
    } else if (member.key_raw == "tokens_out") {
      spent.output_tokens = text::to_int64(value).value_or(0);
      spent.tokens += spent.output_tokens;
    } else if (member.key_raw == "end_state") {
      unknown = text_of(value) == "unknown";
    } else if (member.key_raw == "reserved" && value.kind == JsonKind::object) {
      open = reserved_of(value);
    }
  });
  spent.money = charged ? charged : spent.money;
  add(charge.sum, spent);
  if (unknown && open) {
    charge.open.push_back(*open);
  }
}

struct Key {
  OwnerKind kind;
  std::string id;
  std::size_t period;
  friend auto operator<=>(const Key&, const Key&) = default;
};

}  // namespace

CallCharge charge_of(std::string_view record) {
  CallCharge charge;
  charge.sum.money = Money{};
  WallTime began{};
  double milliseconds = 0;
  if (!text::scan_object(record, [](const JsonMember&) {})) {
    return charge;
  }
  text::for_each_member(record, [&](const JsonMember& member) {
    const JsonValue& value = member.value;
    if (member.key_raw == "time") {
      began = time_of(value);
    } else if (member.key_raw == "duration_ms") {
      milliseconds = text::to_double(value).value_or(0);
    } else if (member.key_raw == "tenant") {
      charge.tenant = text_of(value);
    } else if (member.key_raw == "user") {
      charge.user = text_of(value);
    } else if (member.key_raw == "key_id") {
      charge.key_id = text_of(value);
    } else if (member.key_raw == "route") {
      charge.route = text_of(value);
    } else if (member.key_raw == "attempts" && value.kind == JsonKind::array) {
      text::for_each_element(value.raw, [&](const JsonValue& attempt) { add_attempt(charge, attempt); });
    }
  });
  charge.ended = began + std::chrono::duration_cast<WallTime::duration>(
                             std::chrono::duration<double, std::milli>(std::clamp(milliseconds, 0.0, 1e9)));
  return charge;
}

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
  std::map<Key, Spending> sums;
  std::vector<Budgets::Orphan> orphans;
  store::RequestQuery query;
  // A call counts when it has ended, and began at most a day before.
  query.from = earliest == WallTime::min() ? std::string() : store::first_id_at(earliest - std::chrono::hours(24));
  query.limit = 500;
  do {
    auto page = requests.list(query);
    if (!page) {
      return std::unexpected(std::move(page.error()));
    }
    for (const std::string& record : page->records) {
      const CallCharge charge = charge_of(record);
      std::vector<std::pair<OwnerKind, std::string>> owners = {
          {OwnerKind::global, ""}, {OwnerKind::tenant, charge.tenant}, {OwnerKind::model, charge.route}};
      for (std::string& tenant : above_(charge.tenant)) {
        owners.emplace_back(OwnerKind::tenant, std::move(tenant));
      }
      if (!charge.user.empty()) {
        owners.emplace_back(OwnerKind::user, user_id(charge.tenant, charge.user));
      }
      if (!charge.key_id.empty()) {
        owners.emplace_back(OwnerKind::key, charge.key_id);
      }
      for (const auto& [kind, id] : owners) {
        for (std::size_t i = 0; i < periods_.size(); ++i) {
          if (charge.ended >= spans[i].begin && charge.ended < spans[i].end) {
            add(sums[{.kind = kind, .id = id, .period = i}], charge.sum);
          }
        }
        for (const CallCharge::Open& open : charge.open) {
          if (first_ && open.expires > now) {
            orphans.push_back({.kind = kind, .id = id, .worst = open.worst, .expires = open.expires});
          }
        }
      }
    }
    query.after = page->next;
  } while (!query.after.empty());
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
