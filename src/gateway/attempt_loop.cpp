#include "gateway/attempt_loop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/key_turn.hpp"

namespace weir::gateway {

using platform::Duration;
using platform::Instant;

namespace {

std::string joined(std::string_view provider, std::string_view model) {
  std::string name;
  name.reserve(provider.size() + 1 + model.size());
  name.append(provider).append("/").append(model);
  return name;
}

/// The label of a target in metrics: a name that a caller made up must not become one.
std::string target_label(const routing::Plan& plan, const routing::Candidate& candidate) {
  const bool made_up = !plan.owned.empty();
  return joined(candidate.target->provider, made_up ? "*" : candidate.upstream_model);
}

}  // namespace

AttemptLoop::~AttemptLoop() {
  for (ledger::AttemptRecord& attempt : record().attempts) {
    if (attempt.end_state == ledger::EndState::open) {
      attempt.end_state = ledger::EndState::gateway_error;  // an exception went through it
      attempt.failure = Code::internal;
      attempt.reason = "the gateway failed";
      attempt.ended = now() - context_.attempt.call.started;
      context_.attempt.core.call_metrics.attempt_ended(label_, attempt, now());
    }
  }
}

Task<AttemptResult> AttemptLoop::run() {
  const routing::Candidate* left_for_next = nullptr;
  for (const routing::PlanStep& step : context_.plan.steps) {
    for (const routing::Candidate& member : step.members) {
      providers::Provider* const provider = provider_of(member);
      if (provider == nullptr) {
        continue;
      }
      label_ = target_label(context_.plan, member);
      if (left_for_next != nullptr) {
        context_.attempt.core.call_metrics.fallback(target_label(context_.plan, *left_for_next), label_);
      }
      const Next next = co_await ask(member, *provider);
      if (const std::string_view other = special_fallback(); !other.empty()) {
        co_return co_await ask_instead(other);
      }
      if (next == Next::nothing || now() >= context_.attempt.deadline) {
        co_return std::move(last_);
      }
      left_for_next = &member;
    }
  }
  if (!resting_.empty() && !last_resort_) {
    // Nobody else helped: those without a usable key are asked after all, for a key may be good again.
    last_resort_ = true;
    if (!co_await wait_for_key()) {
      co_return AttemptResult{.kind = AttemptResult::Kind::caller_left};
    }
    co_return co_await run();
  }
  co_return std::move(last_);
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
  co_return woke != platform::Wake::cancelled;
}

void AttemptLoop::note_wish() {
  const auto& wish = last_.failure.retry_after;
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
  back_at_ = std::min(back_at_, *until);
  resting_.push_back({.target = candidate.target, .until = *until});
  return skip(*until == platform::never ? std::string("it has no usable key")
                                        : fmt::format("all its keys are out for another {:.1f} s",
                                                      std::chrono::duration<double>(*until - now()).count()));
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

Task<AttemptResult> AttemptLoop::ask_instead(std::string_view model) {
  auto plan = routing::resolve(context_.snapshot.models, model, false, context_.attempt.core.loop.random());
  if (!plan) {
    co_return std::move(last_);  // the configuration was checked: it names a model
  }
  AttemptLoop other(
      {.attempt = context_.attempt, .snapshot = context_.snapshot, .plan = *plan, .recovery = context_.recovery});
  other.instead_ = true;
  other.back_at_ = back_at_;
  other.last_ = std::move(last_);
  context_.attempt.core.call_metrics.fallback(label_, model);
  co_return co_await other.run();
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

void AttemptLoop::find_cost() {
  Core& core = context_.attempt.core;
  ledger::AttemptRecord& row = record().attempts.back();
  ledger::settle_cost(row, core.prices.find(row.target, record().time));
}

bool AttemptLoop::has_other_members() const {
  return context_.plan.steps.size() > 1 || context_.plan.steps[0].members.size() > 1;
}

ledger::AttemptRecord& AttemptLoop::begin_row(const routing::Candidate& candidate) {
  ledger::AttemptRecord& row = record().attempts.emplace_back();
  row.target = joined(candidate.target->provider, candidate.upstream_model);
  return row;
}

Task<AttemptLoop::Next> AttemptLoop::ask(const routing::Candidate& candidate, providers::Provider& provider) {
  platform::Loop& loop = context_.attempt.core.loop;
  const Instant began = now();
  Duration backoff{};
  bool fresh_connection = false;
  KeyTurn keys(provider.keys(), candidate.upstream_model);
  for (int tries = 1;;) {
    ledger::AttemptRecord& row = begin_row(candidate);
    row.backoff = backoff;
    row.silent_retry = fresh_connection;
    Attempt::Context context = context_.attempt;
    context_.recovery.prepare(context, *candidate.target, provider,
                              tries < candidate.target->retry.attempts || has_other_members());
    context.key = keys.key(now());
    Attempt one(context, candidate, provider, fresh_connection);
    last_ = co_await one.run();
    find_cost();
    keys.report(last_, one.limits(), now());
    context_.attempt.core.call_metrics.attempt_ended(label_, record().attempts.back(), now());
    if (last_.kind == AttemptResult::Kind::delivered || last_.kind == AttemptResult::Kind::caller_left) {
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
    switch (context_.recovery.ended(last_, *candidate.target, record().attempts.back())) {
      case Recovery::After::tell: co_return Next::nothing;
      case Recovery::After::repeat: continue;
      case Recovery::After::next_target: co_return Next::member;
      case Recovery::After::next_attempt:
      case Recovery::After::as_usual: break;
    }
    if (keys.change(last_.failure.cause, now())) {
      continue;
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
    if (decision.step == NextStep::next_target || failed + decision.wait >= context_.attempt.deadline) {
      co_return Next::member;
    }
    if (co_await platform::sleep(loop, {failed + decision.wait, &context_.attempt.end.cancellation}) ==
        platform::Wake::cancelled) {
      last_ = {.kind = AttemptResult::Kind::caller_left};
      co_return Next::nothing;
    }
    backoff = now() - failed;
    context_.attempt.waited += backoff;
    ++tries;
  }
}

}  // namespace weir::gateway
