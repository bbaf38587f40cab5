#include "gateway/attempt_loop.hpp"

#include <fmt/format.h>

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
      if (next == Next::nothing || now() >= context_.attempt.deadline) {
        co_return std::move(last_);
      }
      left_for_next = &member;
    }
  }
  co_return std::move(last_);
}

providers::Provider* AttemptLoop::provider_of(const routing::Candidate& candidate) {
  const auto found = context_.snapshot.providers.find(candidate.target->provider);
  if (const std::string_view why = context_.recovery.why_not(*candidate.target);
      context_.recovery.pending() && !why.empty()) {
    record().skipped.push_back(fmt::format("{}/{}: {}", candidate.target->provider, candidate.upstream_model, why));
    return nullptr;
  }
  if (candidate.target->off.empty() && found != context_.snapshot.providers.end()) {
    return found->second.get();
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
  for (int tries = 1;;) {
    ledger::AttemptRecord& row = begin_row(candidate);
    row.backoff = backoff;
    row.silent_retry = fresh_connection;
    Attempt::Context context = context_.attempt;
    context_.recovery.prepare(context, *candidate.target, provider,
                              tries < candidate.target->retry.attempts || has_other_members());
    Attempt one(context, candidate, provider, fresh_connection);
    last_ = co_await one.run();
    find_cost();
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
    switch (context_.recovery.ended(last_, *candidate.target, record().attempts.back())) {
      case Recovery::After::tell: co_return Next::nothing;
      case Recovery::After::repeat: continue;
      case Recovery::After::next_target: co_return Next::member;
      case Recovery::After::next_attempt:
      case Recovery::After::as_usual: break;
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
