#include "gateway/charges.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "auth/key_rules.hpp"
#include "platform/address.hpp"
#include "tokens/estimate.hpp"

namespace weir::gateway {

using ledger::Budget;
using ledger::BudgetRefusal;
using limits::ScopeKind;
using platform::Duration;

namespace {

constexpr std::int64_t most = 100'000'000;  // tokens of a prompt or an answer; keeps sums in their bounds
constexpr Duration soon = std::chrono::seconds(1);
constexpr auto lease_grace = std::chrono::minutes(1);  // behind the call's deadline

bool counts_tokens(const limits::LimitSet& set) {
  return std::ranges::any_of(set.windows,
                             [](const limits::WindowLimit& limit) { return limit.unit == limits::Unit::tokens; });
}

std::int64_t whole_seconds(Duration wait) {
  return std::chrono::ceil<std::chrono::seconds>(wait).count();
}

std::string_view to_string(BudgetRefusal::Kind kind) {
  switch (kind) {
    case BudgetRefusal::Kind::exhausted: return "exhausted";
    case BudgetRefusal::Kind::busy: return "busy";
    case BudgetRefusal::Kind::price_unknown: return "price_unknown";
    case BudgetRefusal::Kind::uncounted: return "uncounted";
  }
  return "exhausted";
}

/// Asked while the limits are decided: tokens and money are one decision.
struct Holding final : limits::Limiter::Also {
  Holding(ledger::Budgets& of, ledger::Budgets::Lease& hold, const ledger::Budgets::Purse& from,
          const ledger::Spending& most_of, platform::WallTime at)
      : budgets(of), lease(hold), purse(from), worst(most_of), now(at) {}
  bool take() override {
    refusal = budgets.hold(lease, purse, worst, now);
    return !refusal;
  }
  ledger::Budgets& budgets;
  ledger::Budgets::Lease& lease;
  const ledger::Budgets::Purse& purse;
  const ledger::Spending& worst;
  platform::WallTime now;
  std::optional<BudgetRefusal> refusal;
};

}  // namespace

std::unique_ptr<Charges> Charges::of(Core& core, const Call& call, const Allowances* allowances,
                                     std::string_view route) {
  const auth::Key* const key = call.principal.key;
  const bool key_has_own = key != nullptr && key->rules != nullptr;
  if ((allowances == nullptr && !key_has_own) || core.limiter == nullptr ||
      call.endpoint.limits != LimitsClass::inference) {
    return nullptr;
  }
  static const Allowances none;
  std::unique_ptr<Charges> made(new Charges(core, call, allowances == nullptr ? none : *allowances));
  made->find_all(route);
  return made->scope_count_ == 0 && made->purse_.empty() ? nullptr : std::move(made);
}

void Charges::add_scope(ScopeKind kind, std::string_view id, const limits::LimitSet& set) {
  if (!set.empty() && scope_count_ < scopes_.size()) {
    scopes_[scope_count_++] = {.kind = kind, .id = id, .limits = &set};
    counts_tokens_ = counts_tokens_ || counts_tokens(set);
  }
}

void Charges::add_owner(ledger::OwnerKind kind, std::string_view id, const ledger::BudgetRules& rules) {
  if (!rules.empty()) {
    owners_.push_back({.kind = kind, .id = id, .rules = &rules});
  }
}

static_assert(Allowances::tenant_levels_counted + 7 <= limits::Limiter::scopes_per_call_max,
              "all that find_all() finds has a place");

void Charges::find_all(std::string_view route) {
  const auth::Principal& who = call_.principal;
  const auto add = [&](ScopeKind scope, ledger::OwnerKind owner, std::string_view id, const Allowance& allowance) {
    add_scope(scope, id, allowance.limits);
    add_owner(owner, id, allowance.budgets);
  };
  using ledger::OwnerKind;
  add(ScopeKind::global, OwnerKind::global, "", all_.global);
  add(ScopeKind::tenant, OwnerKind::tenant, who.tenant, all_.of_tenant(who.tenant));
  all_.each_above(who.tenant, [&](std::string_view name, const TenantAllowance& above) {
    add(ScopeKind::tenant, OwnerKind::tenant, name, above);
  });
  if (!who.user.empty() && !all_.per_user.empty()) {
    user_ = ledger::user_id(who.tenant, who.user);
    add(ScopeKind::user, OwnerKind::user, user_, all_.per_user);
  }
  if (who.key != nullptr) {
    const auth::KeyRules* const own = who.key->rules.get();
    add_scope(ScopeKind::key, who.key_id, own == nullptr || own->limits.empty() ? all_.per_key.limits : own->limits);
    add_owner(OwnerKind::key, who.key_id, own == nullptr || own->budgets.empty() ? all_.per_key.budgets : own->budgets);
    if (const auto role = all_.by_role.find(auth::to_string(who.role)); role != all_.by_role.end()) {
      add_scope(ScopeKind::role, who.key_id, role->second);
    }
  }
  if (const auto model = all_.by_model.find(route); model != all_.by_model.end()) {
    add(ScopeKind::model, OwnerKind::model, route, model->second);
  }
  const bool without_key = who.anonymous && !all_.without_key.empty();
  if (without_key || !all_.per_ip.empty()) {
    const platform::IpAddress peer =
        platform::peer_key(platform::parse_address(call_.client).value_or(platform::IpAddress{}));
    address_[0] = 'a';
    std::ranges::copy(peer.bytes, address_.begin() + 1);
    const std::string_view id(address_.data(), address_.size());
    if (without_key) {
      add_scope(ScopeKind::address, id.substr(1), all_.without_key);
    }
    add_scope(ScopeKind::address, id, all_.per_ip);
  }
  if (core_.budgets != nullptr && !owners_.empty()) {
    purse_ = core_.budgets->purse(owners_);
  }
}

std::optional<Charges::Refusal> Charges::admit() {
  if (scope_count_ == 0) {
    return std::nullopt;
  }
  auto ticket = core_.limiter->take(scopes(), {.requests = 1, .tokens = 0, .in_flight = 1}, core_.loop.now());
  if (!ticket) {
    return explain(ticket.error(), 0);
  }
  ticket_ = std::move(*ticket);
  headers_.tell(ticket_);
  return std::nullopt;
}

std::optional<std::int64_t> Charges::output_limit() const {
  return purse_.has_hard() && call_.operation().has_output ? std::optional(all_.max_output_tokens) : std::nullopt;
}

/// The most that an answer can have: of what the caller, the model and the operator allow, the least.
std::int64_t Charges::output_tokens(const ledger::ModelPrice* price) const {
  if (!call_.operation().has_output) {
    return 0;
  }
  const openai::Request& request = call_.request;
  std::int64_t tokens = std::min(request.output_asked().value_or(purse_.empty() ? 0 : all_.max_output_tokens), most);
  if (const auto limit = output_limit()) {
    tokens = std::min(tokens, *limit);
  }
  if (price != nullptr && price->output_tokens_max) {
    tokens = std::min(tokens, *price->output_tokens_max);
  }
  return tokens * static_cast<std::int64_t>(std::min<std::size_t>(request.choices_asked(), 128));
}

std::optional<std::string_view> Charges::reserve(ledger::AttemptRecord& row, platform::Instant deadline) {
  lease_ = {};
  reserved_ = false;
  if (!counts_tokens_ && purse_.empty()) {
    return std::nullopt;
  }
  if (estimate_ < 0) {
    estimate_ = std::min(tokens::estimate(call_.body), most);
  }
  const platform::Instant now = core_.loop.now();
  const platform::WallTime wall = core_.loop.wall_now();
  const auto price = purse_.empty() ? nullptr : core_.prices.find(row.target, wall);
  const std::int64_t output = output_tokens(price.get());
  // Limits reserve what is likely. Where a budget is hard, what is held is never passed: texts of digits, signs or rare
  // scripts have four times as many tokens as the estimate says, none has more than its body has bytes.
  const std::int64_t likely = estimate_ + output;
  const std::int64_t input =
      purse_.has_hard() ? std::min(static_cast<std::int64_t>(call_.body.size()), most) : estimate_;
  ledger::Spending worst{.money = std::nullopt, .tokens = input + output, .output_tokens = output};
  if (price != nullptr) {
    worst.money = ledger::worst_cost(*price, input, output);
  }
  reserved_ = true;
  output_ = output;
  if (!purse_.empty()) {  // limits forget in a while and are not read back: only budgets need a row's word
    row.reserved = std::make_shared<ledger::Reserved>(ledger::Reserved{
        .money = worst.money,
        .tokens = worst.tokens,
        .output_tokens = output,
        .expires = wall + std::chrono::duration_cast<platform::WallTime::duration>(deadline - now) + lease_grace,
        .charged = std::nullopt});
    lease_ = core_.budgets->prepare(purse_, row.reserved->expires);
  }
  if (!counts_tokens_) {
    const auto refused = core_.budgets->hold(lease_, purse_, worst, wall);
    return refused ? std::optional(keep(explain(*refused))) : std::nullopt;
  }
  std::optional<Holding> holding;
  if (!purse_.empty()) {
    holding.emplace(*core_.budgets, lease_, purse_, worst, wall);
  }
  const auto refused = core_.limiter->take_tokens(ticket_, likely, now, holding ? &*holding : nullptr);
  if (refused) {
    return keep(refused->elsewhere ? explain(*holding->refusal) : explain(*refused, likely));
  }
  headers_.tell(ticket_);
  return std::nullopt;
}

/// Gives who refused it.
std::string_view Charges::keep(Refusal refusal) {
  lease_ = {};
  reserved_ = false;
  by_ = refusal.by;
  const auto hope = [](const Refusal& one) {
    return one.retry_after ? 2 : one.error.code == Code::quota_exhausted ? 1 : 0;
  };
  if (!refusal_ || hope(refusal) > hope(*refusal_)) {
    refusal_ = std::move(refusal);
  }
  return by_;
}

/// Of an attempt that worked and told no usage, because somebody left before its end: its prompt, and what came of its
/// answer. A stream brings about a token with each event.
llm::Usage Charges::estimated(const ledger::AttemptRecord& row) const {
  const std::int64_t came = static_cast<std::int64_t>(call_.request.stream ? row.events : row.response_bytes / 4);
  return {.input_tokens = estimate_, .output_tokens = std::min(came, output_)};
}

void Charges::settle(ledger::AttemptRecord& row) {
  if (!std::exchange(reserved_, false)) {
    return;
  }
  const bool told = row.usage.input_tokens || row.usage.output_tokens;
  const bool free = !told && row.cost == ledger::Money{};  // refused, or never asked
  const llm::Usage usage = told ? row.usage : free ? llm::Usage{} : estimated(row);
  const std::int64_t output = usage.output_tokens.value_or(0);
  ledger::Spending actual{
      .money = row.cost, .tokens = usage.input_tokens.value_or(0) + output, .output_tokens = output};
  if (!actual.money && row.price != nullptr) {
    actual.money = ledger::cost_of(*row.price, usage);
  }
  if (row.reserved) {
    row.reserved->charged = actual.money;
    if (!told && !free) {
      row.reserved->charged_tokens = {.all = actual.tokens, .output = output};
    }
  }
  if (counts_tokens_) {
    ticket_.settle_tokens(actual.tokens, core_.loop.now());
  }
  if (lease_) {
    warn(lease_.settle(actual, core_.loop.wall_now()));
    lease_ = {};
  }
}

void Charges::end() {
  ticket_.release();
}

void Charges::give_back_admission() {
  ticket_.give_back();
}

void Charges::warn(const std::vector<ledger::BudgetWarning>& warnings) {
  for (const ledger::BudgetWarning& warning : warnings) {
    core_.call_metrics.budget_warning(ledger::to_string(warning.owner), warning.percent);
    core_.log.message(
        observe::Level::warn, "budget",
        fmt::format("{} % of the budget of {} {} are used: {} of {} per {}", warning.percent,
                    ledger::to_string(warning.owner), warning.id, ledger::to_text(warning.unit, warning.spent),
                    ledger::to_text(warning.unit, warning.cap), ledger::to_string(warning.period)));
  }
}

Charges::Refusal Charges::explain(const limits::Refusal& refusal, std::int64_t tokens) {
  headers_.tell(refusal);
  core_.call_metrics.limited(limits::to_string(refusal.scope),
                             refusal.window ? limits::to_string(refusal.window->unit) : std::string_view("in_flight"));
  const std::string limit = refusal.window ? limits::to_text(*refusal.window)
                                           : fmt::format("{} call{} at the same time", refusal.in_flight_limit,
                                                         refusal.in_flight_limit == 1 ? "" : "s");
  Refusal told;
  told.by = fmt::format("the limit of {}, {}", limits::to_words(refusal.scope), limit);
  if (!refusal.retry_after) {
    told.error = {
        .code = Code::invalid_request,
        .message = fmt::format("This call asks for about {} tokens with its answer, and the limit of {} is {}. "
                               "Ask for less: a shorter prompt, or a smaller max_tokens. Request id: {}.",
                               tokens, limits::to_words(refusal.scope), limit, call_.id)};
    return told;
  }
  told.retry_after = refusal.retry_after;
  told.error = {
      .code = Code::rate_limited,
      .message = fmt::format("The limit of {} is {}, and it is reached. Try again in {} s. Request id: {}.",
                             limits::to_words(refusal.scope), limit, whole_seconds(*refusal.retry_after), call_.id)};
  return told;
}

Charges::Refusal Charges::explain(const BudgetRefusal& refusal) const {
  using Kind = BudgetRefusal::Kind;
  core_.call_metrics.budget_refused(ledger::to_string(refusal.owner), to_string(refusal.kind));
  const Budget& budget = *refusal.budget;
  const std::string_view what = budget.unit == Budget::Unit::money ? "budget" : "quota";
  const std::string_view whose = ledger::to_words(refusal.owner);
  const std::string much = ledger::to_text(budget);
  Refusal told;
  told.by = fmt::format("the {} of {}, {}: {}", what, whose, much, to_string(refusal.kind));
  switch (refusal.kind) {
    case Kind::exhausted: {
      const std::string renewed =
          budget.period.length() == ledger::PeriodLength::forever
              ? std::string()
              : fmt::format(" It begins anew at {:%FT%TZ}.", std::chrono::floor<std::chrono::seconds>(refusal.renewed));
      told.error = {.code = Code::quota_exhausted,
                    .message = fmt::format("The {} of {} is {}, and too little of it is left: {}, where this call may "
                                           "need {}.{} Request id: {}.",
                                           what, whose, much, ledger::to_text(budget.unit, refusal.left),
                                           ledger::to_text(budget.unit, refusal.asked), renewed, call_.id)};
      told.substitute = budget.substitute;
      break;
    }
    case Kind::busy:
      told.retry_after = soon;
      told.error = {.code = Code::budget_busy,
                    .message = fmt::format("The {} of {} is {}, and what is left of it is held by calls that run. Try "
                                           "again in 1 s. Request id: {}.",
                                           what, whose, much, call_.id)};
      break;
    case Kind::price_unknown:
      told.error = {.code = Code::price_unknown,
                    .message = fmt::format("The {} of {} is {} and hard, and no target of this model has a price. The "
                                           "gateway's operator can set one under `prices`. Request id: {}.",
                                           what, whose, much, call_.id)};
      break;
    case Kind::uncounted:
      told.retry_after = soon;
      told.error = {.code = Code::store_unavailable,
                    .message = fmt::format("The {} of {} is {}, and the gateway is still reading what was spent of it "
                                           "before it started. Try again in 1 s. Request id: {}.",
                                           what, whose, much, call_.id)};
      break;
  }
  return told;
}

}  // namespace weir::gateway
