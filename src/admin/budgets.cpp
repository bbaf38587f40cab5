#include "admin/budgets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "admin/document_members.hpp"
#include "admin/identity_replies.hpp"
#include "admin/query_parameters.hpp"
#include "api/reply.hpp"
#include "observe/json_time.hpp"

namespace weir::admin {

namespace {

using ledger::Budget;
using ledger::Budgets;
using ledger::OwnerKind;

constexpr std::size_t standings_max = 20'000;
constexpr std::array<std::string_view, 5> owners = {"global", "tenant", "user", "key", "model"};

std::string_view unit_of(const Budgets::Standing& one) {
  switch (one.unit) {
    case Budget::Unit::money: return "usd";
    case Budget::Unit::tokens: return "tokens";
    case Budget::Unit::output_tokens: return "output_tokens";
  }
  return "usd";
}

/// Pages are in the order of these, which no two have in common.
std::string cursor_of(const Budgets::Standing& one) {
  return fmt::format("{}:{}:{}:{}", ledger::to_string(one.owner), one.id, unit_of(one), ledger::to_string(one.period));
}

/// An id may have colons of its own: the owner stands before the first, unit and period behind the last two.
bool is_cursor(std::string_view text) {
  const std::size_t period = text.rfind(':');
  const std::size_t unit = period == std::string_view::npos || period == 0 ? period : text.rfind(':', period - 1);
  const std::size_t owner = text.find(':');
  if (unit == std::string_view::npos || owner >= unit) {
    return false;
  }
  const std::string_view counted = text.substr(unit + 1, period - unit - 1);
  return std::ranges::find(owners, text.substr(0, owner)) != owners.end() &&
         (counted == "usd" || counted == "tokens" || counted == "output_tokens") &&
         ledger::parse_period_length(text.substr(period + 1)).has_value();
}

std::string to_json(const Budgets::Standing& one) {
  const auto amount = [&](std::int64_t count) {
    return one.unit == Budget::Unit::money ? ledger::Money::picodollars(count).to_text() : std::to_string(count);
  };
  std::string out = "{";
  append_string(out, "owner", ledger::to_string(one.owner));
  append_text(out, "id", one.id);
  append_string(out, "unit", unit_of(one));
  append_string(out, "period", ledger::to_string(one.period));
  append_raw(out, "hard", one.hard ? "true" : "false");
  append_raw(out, "cap", amount(one.cap));
  append_raw(out, "spent", amount(one.spent));
  append_raw(out, "held", amount(one.held));
  append_moment(out, "period_end",
                one.period == ledger::PeriodLength::forever ? std::string() : observe::rfc3339(one.renewed));
  out.back() = '}';  // the comma
  return out;
}

/// Those that the configuration names count from here on, also before the first call is paid from them.
void open_configured(Budgets& budgets, const gateway::Allowances& all) {
  const auto open = [&](OwnerKind kind, std::string_view id, const ledger::BudgetRules& rules) {
    const Budgets::Owner owner{.kind = kind, .id = id, .rules = &rules};
    static_cast<void>(budgets.purse({&owner, 1}));
  };
  open(OwnerKind::global, "", all.global.budgets);
  for (const auto& [name, model] : all.by_model) {
    open(OwnerKind::model, name, model.budgets);
  }
  for (const auto& [name, tenant] : all.tenants) {
    open(OwnerKind::tenant, name, all.of_tenant(name).budgets);
  }
}

struct Asked {
  std::string owner;
  std::string id;
  std::string after;
  int limit = 100;
};

Result<Asked> read_query(std::string_view query) {
  Asked asked;
  for (const auto& [name, into] : {std::pair{std::string_view("owner"), &asked.owner}, {"id", &asked.id}}) {
    auto text = parameter(query, name);
    if (!text) {
      return std::unexpected(std::move(text.error()));
    }
    *into = std::move(*text);
  }
  if (!asked.owner.empty() && std::ranges::find(owners, asked.owner) == owners.end()) {
    return fail(Code::invalid_request, fmt::format("`owner` is one of {}.", fmt::join(owners, ", ")));
  }
  auto after = read_after(query, is_cursor);
  if (!after) {
    return std::unexpected(std::move(after.error()));
  }
  asked.after = std::move(*after);
  const auto limit = read_limit(query);
  if (!limit) {
    return std::unexpected(limit.error());
  }
  asked.limit = *limit;
  return asked;
}

Task<void> list(api::ApiRequest& request) {
  const auto asked = read_query(request.http.head.target.query);
  if (!asked) {
    co_await reply_refusal(request, asked.error());
    co_return;
  }
  std::vector<Budgets::Standing> rows;
  if (Budgets* const budgets = request.core.budgets; budgets != nullptr) {
    if (const auto snapshot = request.core.snapshot; snapshot != nullptr && snapshot->allowances != nullptr) {
      open_configured(*budgets, *snapshot->allowances);
    }
    rows = budgets->standings(request.core.loop.wall_now(), standings_max);
  }
  std::erase_if(rows, [&](const Budgets::Standing& one) {
    return (!asked->owner.empty() && asked->owner != ledger::to_string(one.owner)) ||
           (!asked->id.empty() && asked->id != one.id) || (!asked->after.empty() && cursor_of(one) <= asked->after);
  });
  std::ranges::sort(rows, {}, cursor_of);
  co_await api::reply_json(request, 200, list_of(rows, asked->limit, to_json, cursor_of));
}

}  // namespace

void add_budget_endpoint(api::Registry& registry) {
  static constexpr std::array<std::string_view, 4> filters = {"owner", "id", "limit", "after"};
  registry.add({.method = "GET",
                .path = "/admin/v1/budgets",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "How budgets and quotas stand in their present periods, spent and held, of all that calls "
                           "were paid from: `?owner=&id=&limit=&after=`.",
                .parameters = filters},
               [](api::ApiRequest& request) { return list(request); });
}

}  // namespace weir::admin
