#include "gateway/attempt_loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "gateway/charges.hpp"
#include "gateway/key_turn.hpp"
#include "http/headers.hpp"
#include "routing/choose.hpp"
#include "text/json_scan.hpp"
#include "text/json_value.hpp"

namespace weir::gateway {

using platform::Duration;
using platform::Instant;

namespace {

constexpr Duration soon = std::chrono::seconds(1);  // when to come back, where nobody knows it better

std::string joined(std::string_view provider, std::string_view model) {
  std::string name;
  name.reserve(provider.size() + 1 + model.size());
  name.append(provider).append("/").append(model);
  return name;
}

/// What the caller chose a member by, where a step is sticky.
std::string sticky_key(const routing::PlanStep& step, const Call& call) {
  if (step.step->sticky == "user") {
    const auto user = text::find_member(call.body, "user");
    return user && user->kind == text::JsonKind::string ? text::unescape_lossy(user->string_raw()) : std::string();
  }
  for (const http::Header& header : call.headers) {
    if (http::iequals(header.name, step.step->sticky)) {
      return std::string(header.value);
    }
  }
  return {};
}

std::string why_keys_rest(Instant until, Instant now) {
  return until == platform::never ? std::string("it has no usable key")
                                  : fmt::format("all its keys are out for another {:.1f} s",
                                                std::chrono::duration<double>(until - now).count());
}

}  // namespace

AttemptLoop::~AttemptLoop() {
  for (ledger::AttemptRecord& attempt : record().attempts) {
    if (attempt.end_state == ledger::EndState::open) {
      attempt.end_state = ledger::EndState::gateway_error;  // an exception went through it
      attempt.failure = Code::internal;
      attempt.reason = "the gateway failed";
      attempt.ended = now() - context_.attempt.call.started;
      if (context_.attempt.charges != nullptr) {
        context_.attempt.charges->settle(attempt);
      }
      context_.attempt.core.call_metrics.attempt_ended(label_, attempt, now());
      context_.attempt.core.call_metrics.usage_known(label_, attempt);
    }
  }
}

Task<void> AttemptLoop::run() {
  for (std::size_t i = 0; i < context_.plan.steps.size() || add_fallback(); ++i) {
    const routing::PlanStep& step = context_.plan.steps[i];  // nothing is added while it is asked
    std::span<routing::Candidate> left(context_.plan.steps[i].members);
    for (; !left.empty(); left = left.subspan(1)) {
      if (left.size() > 1) {
        put_best_first(step, left, left.size() == step.members.size());
      }
      Place place = place_at(step.step, left.front(), false);
      if (place.provider == nullptr) {
        continue;
      }
      const Next next = co_await ask(left.front(), *place.provider, std::move(place.slot));
      if (const std::string_view other = special_fallback(); !other.empty()) {
        co_await ask_instead(other);
        co_return;
      }
      if (next == Next::nothing || now() >= context_.attempt.deadline) {
        co_return;
      }
      left_for_ = label_;
    }
  }
  if (!resting_.empty() && !last_resort_) {
    // Nobody else helped: those without a usable key are asked after all, for a key may be good again.
    last_resort_ = true;
    if (!co_await wait_for_key()) {
      last_ = {.kind = AttemptResult::Kind::caller_left};
      co_return;
    }
    co_await run();
    co_return;
  }
  if (const auto* first = passed_over_.first_to_recover(); first != nullptr && record().attempts.empty()) {
    Place place = place_at(first->step, first->member, true);
    if (place.provider != nullptr) {
      co_await ask(first->member, *place.provider, std::move(place.slot));
      co_return;
    }
  }
  if (!record().attempts.empty()) {
    co_return;
  }
  if (const std::string_view other = substitute(); !other.empty()) {
    co_await ask_instead(other);
    co_return;
  }
  refuse();
}

/// The model that is asked where a budget refused the one that was named; empty: none.
std::string_view AttemptLoop::substitute() const {
  const Charges* const charges = context_.attempt.charges;
  return instead_ || charges == nullptr || !charges->refusal() ? std::string_view() : charges->refusal()->substitute;
}

/// All steps of the model are behind us: those of the model that answers where no other one does.
bool AttemptLoop::add_fallback() {
  return routing::add_fallback(context_.plan, context_.snapshot.models);
}

/// A short rest is waited for, as a Retry-After is; after a long one, or where nobody knows its end, the provider may
/// say so himself. False: the caller left.
Task<bool> AttemptLoop::wait_for_key() {
  const Instant began = now();
  const Resting& first = *std::ranges::min_element(resting_, {}, &Resting::until);
  if (!record().attempts.empty() || first.until > began + first.target->retry.backoff_max ||
      first.until >= context_.attempt.deadline) {
    co_return true;
  }
  const auto woke =
      co_await platform::sleep(context_.attempt.core.loop, {first.until, &context_.attempt.end.cancellation});
  context_.attempt.waited += now() - began;
  decide_anew();
  co_return woke != platform::Wake::cancelled;
}

void AttemptLoop::decide_anew() {
  if (unpaid_.empty()) {
    return;
  }
  context_.attempt.charges->forget_refusal();
  for (const routing::Target* target : std::exchange(unpaid_, {})) {
    resting_.push_back({.target = target, .until = now()});
  }
}

void AttemptLoop::note_wish() {
  const bool busy = last_.failure.status == 429 || last_.failure.status == 503;
  const auto wish = last_.failure.retry_after ? last_.failure.retry_after
                    : busy                    ? std::optional<Duration>(soon)
                                              : std::nullopt;
  const Instant own = wish ? now() + *wish : platform::never;
  back_at_ = std::min(back_at_, own);
  if (back_at_ != platform::never) {
    last_.back_at = back_at_;
    last_.back_at_is_own = back_at_ == own;
  }
}

bool AttemptLoop::is_in_vain(const routing::Candidate& candidate, providers::Provider& provider) {
  const auto skip = [&](std::string why) {
    record().skipped.push_back(
        fmt::format("{}/{}: {}", candidate.target->provider, candidate.upstream_model, std::move(why)));
    return true;
  };
  providers::KeyPool* const pool = provider.keys();
  if (last_resort_ || pool == nullptr) {
    return last_resort_ && std::ranges::find(resting_, candidate.target, &Resting::target) == resting_.end();
  }
  const auto until = pool->closed_until(candidate.upstream_model, now());
  if (!until) {
    return false;
  }
  if (pool->is_shut_by_hand(now())) {
    passed_over_.note_by_hand(*until);
    return skip("all its keys were taken out by hand");
  }
  back_at_ = std::min(back_at_, *until);
  resting_.push_back({.target = candidate.target, .until = *until});
  return skip(why_keys_rest(*until, now()));
}

std::string_view AttemptLoop::special_fallback() const {
  if (last_.kind != AttemptResult::Kind::failed || instead_ || context_.recovery.pending()) {
    return {};
  }
  switch (last_.failure.cause) {
    case llm::Cause::context_window: return context_.plan.on_context_window;
    case llm::Cause::content_policy: return context_.plan.on_content_policy;
    default: return {};
  }
}

Task<void> AttemptLoop::ask_instead(std::string_view model) {
  auto plan = routing::resolve(context_.snapshot.models, model, false);
  if (!plan) {
    co_return;  // a key or tenant of the store may name what is no model: the refusal stands
  }
  AttemptLoop other(
      {.attempt = context_.attempt, .snapshot = context_.snapshot, .plan = *plan, .recovery = context_.recovery});
  other.instead_ = true;
  other.back_at_ = back_at_;
  other.last_ = std::move(last_);
  context_.attempt.core.call_metrics.fallback(label_, model);
  co_await other.run();
  last_ = std::move(other.last_);
}

void AttemptLoop::put_best_first(const routing::PlanStep& step, std::span<routing::Candidate> members, bool first) {
  std::size_t best = 0;
  const std::string key = step.step->sticky.empty() ? std::string() : sticky_key(step, context_.attempt.call);
  if (!key.empty()) {
    best = routing::choose_for(members, key);
  } else {
    // The first choice follows the step's sequence, so that shares hold exactly; a later one has no sequence.
    const auto& turns = step.step->turns.state;
    const double drawn = first && turns != nullptr ? turns->next() : context_.attempt.core.loop.random().unit();
    best = step.step->balance == routing::Balance::cheapest
               ? cheapest(members, drawn)
               : routing::choose(members, step.step->balance, drawn, now());
  }
  std::swap(members.front(), members[best]);
}

std::size_t AttemptLoop::cheapest(std::span<const routing::Candidate> members, double drawn) {
  // What this call would cost at most: its bytes at some four to a token, and the output that it allows.
  constexpr std::int64_t output_usual = 500;
  const Call& call = context_.attempt.call;
  const auto input = static_cast<std::int64_t>(call.body.size() / 4);
  const std::int64_t output = std::min<std::int64_t>(call.request.output_asked().value_or(output_usual), 1'000'000);
  std::vector<double> costs;
  for (const routing::Candidate& member : members) {
    const auto price =
        context_.attempt.core.prices.find(joined(member.target->provider, member.upstream_model), record().time);
    const auto cost = price == nullptr ? std::nullopt : ledger::worst_cost(*price, input, output);
    // Without a price it comes last: unknown is not free.
    costs.push_back(cost ? static_cast<double>(cost->in_picodollars()) : std::numeric_limits<double>::infinity());
  }
  return routing::choose_least(costs, drawn);
}

std::expected<routing::Slot, routing::Refused> AttemptLoop::take(const routing::Candidate& member, bool early) {
  const auto& state = member.target->live.state;
  if (state == nullptr) {
    return routing::Slot();
  }
  using Trial = routing::TargetState::Trial;
  return state->take(*member.target, now(), early ? Trial::early : Trial::when_due);
}

bool AttemptLoop::take_again(const routing::Candidate& member, routing::Slot& slot) {
  auto again = take(member, false);
  if (again) {
    slot = *std::move(again);
    return true;
  }
  record().skipped.push_back(
      fmt::format("{}/{}, again: {}", member.target->provider, member.upstream_model, words_of(again.error(), now())));
  return false;
}

std::string_view AttemptLoop::label_of(const routing::Candidate& candidate) {
  if (const auto& state = candidate.target->live.state; state != nullptr) {
    return state->name();
  }
  const bool made_up = !context_.plan.owned.empty();
  return made_labels_.emplace_front(joined(candidate.target->provider, made_up ? "*" : candidate.upstream_model));
}

AttemptLoop::Place AttemptLoop::place_at(const routing::Step* step, const routing::Candidate& member, bool early) {
  providers::Provider* const provider = provider_of(member);
  if (provider == nullptr) {
    return {};
  }
  auto slot = take(member, early);
  if (!slot) {
    record().skipped.push_back(
        fmt::format("{}/{}: {}", member.target->provider, member.upstream_model, words_of(slot.error(), now())));
    passed_over_.note(step, member, slot.error());
    return {};
  }
  label_ = label_of(member);
  if (!left_for_.empty()) {
    context_.attempt.core.call_metrics.fallback(left_for_, label_);
  }
  context_.attempt.timed = step != nullptr && step->balance == routing::Balance::fastest;
  return {.provider = provider, .slot = *std::move(slot)};
}

void AttemptLoop::refuse() {
  if (auto result = passed_over_.result(now())) {
    last_ = *std::move(result);
  } else {
    last_.reason = "no target could be asked";
  }
}

bool AttemptLoop::end(routing::Slot& slot) {
  using Outcome = routing::CircuitBreaker::Outcome;
  Outcome outcome = Outcome::nothing;
  switch (last_.kind) {
    case AttemptResult::Kind::delivered: outcome = Outcome::success; break;
    case AttemptResult::Kind::caller_left: break;
    case AttemptResult::Kind::broken:
    case AttemptResult::Kind::failed:
      // Another answer than the one that broke off is no failure.
      outcome = !last_.differs && llm::is_targets_fault(last_.failure.cause) ? Outcome::failure : Outcome::nothing;
      break;
  }
  const bool opened = slot.end(outcome, now());
  if (opened) {
    context_.attempt.core.log.message(observe::Level::warn, "routing",
                                      fmt::format("the circuit breaker of {} opened: {}", label_, last_.reason));
  }
  return opened;
}

void AttemptLoop::tell_of_key(const ledger::AttemptRecord& row) {
  context_.attempt.core.log.message(
      observe::Level::warn, "routing",
      fmt::format("the circuit breaker of the key {} of {} opened: {}", row.key, label_, last_.reason));
}

providers::Provider* AttemptLoop::provider_of(const routing::Candidate& candidate) {
  const auto found = context_.snapshot.providers.find(candidate.target->provider);
  if (const std::string_view why = context_.recovery.why_not(*candidate.target);
      context_.recovery.pending() && !why.empty()) {
    record().skipped.push_back(fmt::format("{}/{}: {}", candidate.target->provider, candidate.upstream_model, why));
    return nullptr;
  }
  if (candidate.target->off.empty() && found != context_.snapshot.providers.end()) {
    return is_in_vain(candidate, *found->second) ? nullptr : found->second.get();
  }
  if (last_resort_) {
    return nullptr;  // it was told before
  }
  record().skipped.push_back(
      fmt::format("{}/{}: {}", candidate.target->provider, candidate.upstream_model,
                  candidate.target->off.empty() ? "the provider is off" : candidate.target->off));
  return nullptr;
}

bool AttemptLoop::reserve() {
  if (context_.attempt.charges == nullptr) {
    return true;
  }
  const auto by = context_.attempt.charges->reserve(record().attempts.back(), context_.attempt.deadline);
  if (!by) {
    return true;
  }
  record().skipped.push_back(fmt::format("{}: {}", record().attempts.back().target, *by));
  record().attempts.pop_back();
  return false;
}

void AttemptLoop::settle_attempt(const Attempt::Turn& turn) {
  Core& core = context_.attempt.core;
  ledger::AttemptRecord& row = record().attempts.back();
  if (context_.attempt.call.request.stream && last_.kind == AttemptResult::Kind::delivered) {
    turn.provider.note_stream_usage(row.usage.input_tokens.has_value());
  }
  find_usage(core, context_.attempt.call, turn.delivered, row, context_.attempt.uncounted);
  ledger::settle_cost(row, core.prices.find(row.target, record().time));
  if (context_.attempt.charges != nullptr) {
    context_.attempt.charges->settle(row);
  }
}

bool AttemptLoop::has_other_members() const {
  return context_.plan.steps.size() > 1 || context_.plan.steps[0].members.size() > 1 || !context_.plan.fallback.empty();
}

ledger::AttemptRecord& AttemptLoop::begin_row(const routing::Candidate& candidate) {
  ledger::AttemptRecord& row = record().attempts.emplace_back();
  row.target = joined(candidate.target->provider, candidate.upstream_model);
  return row;
}

Task<AttemptLoop::Pause> AttemptLoop::wait_to_ask_again(const routing::Candidate& candidate,
                                                        const providers::KeyPool* pool, Instant until) {
  const Instant began = now();
  const Instant longest = began + candidate.target->retry.backoff_max;
  while (true) {
    const auto woke = co_await platform::sleep(context_.attempt.core.loop, {until, &context_.attempt.end.cancellation});
    const auto rests_until =
        pool != nullptr ? pool->closed_until(candidate.upstream_model, now()) : std::optional<Instant>();
    const bool goes_on = woke != platform::Wake::cancelled && rests_until && *rests_until <= longest &&
                         *rests_until < context_.attempt.deadline;
    if (goes_on) {
      until = *rests_until;
      continue;
    }
    context_.attempt.waited += now() - began;
    if (woke == platform::Wake::cancelled) {
      last_ = {.kind = AttemptResult::Kind::caller_left};
      co_return Pause::caller_left;
    }
    if (rests_until) {
      back_at_ = std::min(back_at_, *rests_until);
      note_wish();
      record().skipped.push_back(fmt::format("{}/{}, again: {}", candidate.target->provider, candidate.upstream_model,
                                             why_keys_rest(*rests_until, now())));
      co_return Pause::in_vain;
    }
    co_return Pause::over;
  }
}

Task<AttemptLoop::Next> AttemptLoop::ask(const routing::Candidate& candidate, providers::Provider& provider,
                                         routing::Slot slot) {
  platform::Loop& loop = context_.attempt.core.loop;
  const Instant began = now();
  Duration backoff{};
  bool fresh_connection = false;
  KeyTurn keys(provider.keys(), candidate.upstream_model);
  for (int tries = 1;;) {
    ledger::AttemptRecord& row = begin_row(candidate);
    row.backoff = backoff;
    row.silent_retry = fresh_connection;
    row.trial = slot.trial();
    if (!reserve()) {
      unpaid_.push_back(candidate.target);
      co_return Next::member;
    }
    Attempt::Turn turn{.candidate = candidate,
                       .provider = provider,
                       .keys = keys,
                       .slot = slot,
                       .fresh_connection = fresh_connection,
                       .resume = std::nullopt};
    context_.recovery.prepare(turn, tries < candidate.target->retry.attempts || has_other_members());
    keep_text(context_.attempt.uncounted, context_.attempt.core, context_.attempt.call, turn);
    Attempt one(context_.attempt, turn);
    last_ = co_await one.run();
    settle_attempt(turn);
    if (keys.report(last_, one.limits(), now())) {
      tell_of_key(record().attempts.back());
    }
    context_.attempt.core.call_metrics.attempt_ended(label_, record().attempts.back(), now());
    if (context_.attempt.uncounted == nullptr) {
      context_.attempt.core.call_metrics.usage_known(label_, record().attempts.back());
    } else {
      context_.attempt.uncounted->label = label_;
    }
    if (last_.kind == AttemptResult::Kind::delivered || last_.kind == AttemptResult::Kind::caller_left) {
      end(slot);
      context_.recovery.finished(record().attempts.back());
      co_return Next::nothing;
    }
    backoff = {};
    if (last_.closed_before_reply && !fresh_connection) {
      // The kept-alive connection had been closed when we wrote to it: the provider saw nothing, so asking again is not
      // a retry.
      fresh_connection = true;
      continue;
    }
    fresh_connection = false;
    note_wish();
    const Recovery::After after = context_.recovery.ended(last_, *candidate.target, record().attempts.back());
    const bool goes_on = after == Recovery::After::as_usual || after == Recovery::After::next_attempt;
    if (after == Recovery::After::repeat || (goes_on && keys.change(last_.failure.cause, now()))) {
      continue;  // the target is not at fault: the call keeps its place there
    }
    const bool opened = end(slot);
    if (opened) {
      back_at_ = std::min(back_at_, candidate.target->live.state->report(now()).open_until);
      note_wish();
    }
    if (!goes_on) {
      co_return after == Recovery::After::tell ? Next::nothing : Next::member;
    }

    const Instant failed = now();
    const Decision decision = decide(last_.failure, candidate.target->retry, tries, failed - began, loop.random());
    if (decision.step == NextStep::give_up && context_.recovery.pending()) {
      co_return Next::member;  // it is not the caller's answer
    }
    if (decision.step == NextStep::give_up) {
      record().attempts.back().end_state =
          ledger::EndState::complete;  // the provider did its part: the request is at fault
      co_return Next::nothing;
    }
    if (decision.step == NextStep::next_target || opened || failed + decision.wait >= context_.attempt.deadline) {
      co_return Next::member;
    }
    if (const Pause pause = co_await wait_to_ask_again(candidate, provider.keys(), failed + decision.wait);
        pause != Pause::over) {
      co_return pause == Pause::in_vain ? Next::member : Next::nothing;
    }
    backoff = now() - failed;
    ++tries;
    if (!take_again(candidate, slot)) {
      co_return Next::member;
    }
  }
}

}  // namespace weir::gateway
