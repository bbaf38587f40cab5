#include "gateway/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "gateway/attempt_loop.hpp"
#include "gateway/rate_limit_headers.hpp"

namespace weir::gateway {

using platform::Duration;
using platform::Instant;

namespace {

/// Why the last attempt failed, without what is the operator's business alone: addresses stand in the record.
std::string words_for_caller(const AttemptResult& last, const ledger::RequestRecord& record) {
  if (last.failure.code == Code::upstream_credentials) {
    return "it refused the gateway's credentials";
  }
  if (last.failure.code == Code::upstream_certificate) {
    return "its certificate was not accepted";
  }
  if (last.failure.code == Code::upstream_unreachable) {
    return record.attempts.empty() && !record.skipped.empty() ? record.skipped.back() : "it cannot be reached";
  }
  return last.reason;
}

/// Rounded up, so that it is never too early.
std::int64_t whole_seconds(Duration wait) {
  return std::chrono::ceil<std::chrono::seconds>(wait).count();
}

}  // namespace

Exchange::Exchange(Core& core, Call& call, ReplySink& sink, http::RequestEnd& end)
    : core_(core),
      call_(call),
      end_(end),
      snapshot_(core.snapshot),
      gate_(core.gate),
      record_(std::allocate_shared<ledger::RequestRecord>(RecycledAllocator<ledger::RequestRecord>())),
      live_(core.live, *record_, core.loop, call.started),
      sink_(core, call, sink, *record_) {
  record_->id = call.id;
  record_->time = core.loop.wall_now();
  record_->endpoint = call.endpoint.path;
  record_->client = call.client;
  record_->client_request_id = call.client_request_id;
  record_->trace_id = call.trace ? call.trace->trace_id : std::string();
  record_->model = call.request.model;
  record_->stream = call.request.stream;
  record_->request_bytes = call.body.size();
  core_.call_metrics.call_started();
  live_.note(ledger::LiveStep::began);
}

Exchange::~Exchange() {
  if (!settled_) {
    settle(ledger::EndState::gateway_error);
  }
}

Task<void> Exchange::run() {
  std::exception_ptr failure;
  try {
    co_await run_stages();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && !settled_) {
    co_await tell_failure();
  }
  co_await sink_.stop();
  if (failure) {
    std::rethrow_exception(failure);
  }
}

/// The caller is told, and not in words that a library chose; those go to the log with the exception.
Task<void> Exchange::tell_failure() {
  record_->error_code = weir::to_string(Code::internal);
  co_await refuse(
      {.code = Code::internal, .message = fmt::format("The gateway failed on this call. Request id: {}.", call_.id)});
}

Task<void> Exchange::run_stages() {
  for (const auto stage :
       {&Exchange::authenticate, &Exchange::resolve, &Exchange::authorize, &Exchange::admit, &Exchange::lookup}) {
    if (Refusal refusal = (this->*stage)()) {
      co_await turn_away(*refusal);
      co_return;
    }
    if (stage == &Exchange::authenticate && call_.unusable) {
      co_await turn_away(call_.unusable->error, call_.unusable->reply);
      co_return;
    }
  }
  co_await attempts();
}

/// Before any attempt.
Task<void> Exchange::turn_away(const Error& error, std::string_view reply) {
  co_await refuse(error, come_back_after_, std::string(reply));
}

// Stages with nothing behind them yet pass the call on: gateway/README.md says what will stand there.
Exchange::Refusal Exchange::authenticate() {
  if (call_.probe != nullptr) {
    record_->key = probe_label;
  } else if (gate_ != nullptr) {
    auto principal = gate_->caller(call_.credential,
                                   {.endpoint = call_.endpoint.path, .client = call_.client, .now = record_->time});
    if (!principal) {
      core_.call_metrics.caller_refused(principal.error().code);
      return std::move(principal.error());
    }
    call_.principal = *principal;
    record_->key_id = call_.principal.key_id;
    record_->key = call_.principal.key_label;
    record_->user = call_.principal.user;
  }
  record_->tenant = call_.principal.tenant;
  return std::nullopt;
}

Exchange::Refusal Exchange::resolve() {
  if (call_.probe != nullptr) {
    plan_ = routing::plan_of(*call_.probe);
    plan_.owned.front().retry.attempts = 1;  // each one may cost money
    return std::nullopt;
  }
  auto plan = routing::resolve(snapshot_->models, call_.request.model, call_.mock_asked);
  if (!plan) {
    // Which names there are is not for a key that may not use them.
    const bool known_to_caller = !auth::refuse_model(call_.principal, call_.request.model);
    return known_to_caller ? std::move(plan.error()) : authorize();
  }
  plan_ = std::move(*plan);
  record_->route = plan_.name;
  return std::nullopt;
}

Exchange::Refusal Exchange::authorize() {
  if (call_.probe != nullptr) {
    return std::nullopt;
  }
  // The name that the caller gave decides, or, where he gave none, that of the default model.
  const std::string_view model = call_.request.model.empty() ? std::string_view(plan_.name) : call_.request.model;
  auto refusal = auth::refuse_model(call_.principal, model);
  if (refusal) {
    core_.call_metrics.caller_refused(refusal->code);
  }
  return refusal;
}

Exchange::Refusal Exchange::admit() {
  if (call_.probe != nullptr) {
    return std::nullopt;  // has a limit of its own, and nobody to charge
  }
  charges_ = Charges::of(core_, call_, snapshot_->allowances.get(), plan_.name);
  if (charges_ == nullptr) {
    return std::nullopt;
  }
  auto refusal = charges_->admit();
  if (!refusal) {
    return std::nullopt;
  }
  record_->refused_by = std::move(refusal->by);
  come_back_after_ = refusal->retry_after;
  return std::move(refusal->error);
}

Exchange::Refusal Exchange::lookup() {
  return std::nullopt;
}

Task<void> Exchange::attempts() {
  sink_.start();
  Recovery recovery(core_, call_, sink_);
  AttemptLoop loop({.attempt = {.core = core_,
                                .call = call_,
                                .sink = sink_,
                                .end = end_,
                                .record = *record_,
                                .live = live_,
                                .charges = charges_.get(),
                                .waited = waited_,
                                .deadline = call_.received + plan_.timeouts.total,
                                .uncounted = uncounted_},
                    .snapshot = *snapshot_,
                    .plan = plan_,
                    .recovery = recovery});
  co_await loop.run();
  switch (loop.last().kind) {
    case AttemptResult::Kind::delivered: settle(ledger::EndState::complete); break;
    case AttemptResult::Kind::broken: co_await tell_broken(recovery); break;
    case AttemptResult::Kind::caller_left: co_await ended_early(); break;
    case AttemptResult::Kind::failed:
      if (recovery.pending()) {
        co_await tell_broken(recovery);
      } else {
        co_await deliver_failure(loop.last());
      }
      break;
  }
}

/// A part of an answer has left, and nobody could go on with it.
Task<void> Exchange::tell_broken(const Recovery& recovery) {
  const Failure failure = recovery.failure(*record_);
  static_cast<void>(co_await sink_.error(failure));
  settle(ledger::EndState::upstream_error);
}

namespace {

/// Whole seconds until calls are taken again; at least one, which is also said where nobody knows.
std::int64_t retry_after_seconds(const AttemptResult& last, Instant now) {
  const Duration left = last.back_at ? *last.back_at - now : Duration{};
  return std::max<std::int64_t>(1, whole_seconds(left));
}

bool is_whole_seconds(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// A 429 or 503 says when to come back, truly for the target that is back soonest: the provider's own word stands where
/// it is that, in whole seconds.
void say_when_to_come_back(ReplyHead& head, const AttemptResult& last, Instant now) {
  if (head.status != 429 && head.status != 503) {
    return;
  }
  using enum http::KnownHeader;
  const auto own = std::ranges::find(head.passing, retry_after, &http::Header::known);
  const bool understood = std::ranges::count(head.passing, retry_after, &http::Header::known) == 1 &&
                          last.failure.retry_after && is_whole_seconds(own->value);
  if (understood && (last.back_at_is_own || !last.back_at)) {
    return;
  }
  std::erase_if(head.passing, [&](const http::Header& header) {
    return header.known == retry_after || (header.known == retry_after_ms && !last.back_at_is_own);
  });
  head.own.add("retry-after", retry_after_seconds(last, now));
}

}  // namespace

/// Nothing of any answer has left. The provider's own status and body where the last attempt ended so; our words
/// otherwise.
Task<void> Exchange::deliver_failure(const AttemptResult& last) {
  record_->error_code = weir::to_string(last.failure.code);
  record_->error_message = last.reason;
  if (record_->attempts.empty() && charges_ != nullptr && charges_->refusal()) {
    charges_->give_back_admission();
    const Charges::Refusal& refusal = *charges_->refusal();
    record_->refused_by = refusal.by;
    record_->error_message = refusal.error.message;
    co_await refuse(refusal.error, refusal.retry_after);
    co_return;
  }
  if (!last.answer || is_credential_refusal(last.failure.cause)) {
    const std::string_view what =
        record_->attempts.empty()
            ? "No target of this model can be asked"
            : (record_->attempts.size() == 1 ? "The provider failed" : "Every attempt failed; the last one");
    const std::string target =
        record_->attempts.empty() ? std::string() : fmt::format(" ({})", record_->attempts.back().target);
    const std::string_view cure =
        last.failure.code == Code::upstream_credentials
            ? " The gateway's key for the provider was refused: its operator has to look at it."
        : last.failure.code == Code::upstream_certificate
            ? " The gateway's operator has to look at it: what is wrong stands in its log."
            : "";
    co_await refuse({.code = last.failure.code,
                     .message = fmt::format("{}{}: {}.{} Request id: {}.", what, target,
                                            words_for_caller(last, *record_), cure, call_.id)},
                    last.failure.retry_after);
    co_return;
  }
  const ProviderAnswer& answer = *last.answer;
  if (sink_.head_sent()) {
    // Only an event can still be sent: it has the provider's error object, where it sent one.
    const auto error = openai::error_object_of(answer.body);
    co_await refuse({.code = last.failure.code,
                     .message = fmt::format("The provider failed ({}): {}. Request id: {}.",
                                            record_->attempts.back().target, last.reason, call_.id)},
                    std::nullopt, error.value_or(std::string()));
    co_return;
  }
  ReplyHead head{
      .status = answer.status, .streamed = false, .body_bytes = answer.body.size(), .passing = {}, .own = {}};
  bool has_type = false;
  for (const auto& [name, value] : answer.headers) {
    if (has_own_limits() && is_rate_limit_header(name)) {
      continue;  // ours stand there
    }
    const http::KnownHeader known = http::classify_header(name);
    has_type = has_type || known == http::KnownHeader::content_type;
    head.passing.push_back({.name = name, .value = value, .known = known});
  }
  if (!has_type) {
    head.own.add("content-type", "application/json");
  }
  say_when_to_come_back(head, last, core_.loop.now());
  add_own_headers(head.own, !record_->attempts.back().upstream_request_id.empty());
  sink_.head(head);
  record_->status = answer.status;
  const auto sent = co_await sink_.end(answer.body);
  if (!sent) {
    co_await ended_early();
    co_return;
  }
  settle(is_about_request(last.failure.cause) ? ledger::EndState::complete : ledger::EndState::upstream_error);
}

Task<void> Exchange::refuse(Error error, std::optional<Duration> retry_after, std::string reply) {
  record_->error_code = weir::to_string(error.code);
  if (record_->error_message.empty()) {
    record_->error_message = error.message;
  }
  Failure failure{.error = std::move(error), .reply = std::move(reply), .retry_after_seconds = std::nullopt, .own = {}};
  if (retry_after) {
    failure.retry_after_seconds = static_cast<int>(whole_seconds(*retry_after));
  }
  add_own_headers(failure.own, false);
  const bool ours = record_->attempts.empty() || failure.error.code == Code::internal;
  const auto sent = co_await sink_.error(failure);
  if (record_->status == 0) {
    record_->status = openai::shape_of(failure.error.code).status;
  }
  if (!sent) {
    co_await ended_early();
    co_return;
  }
  settle(ours ? ledger::EndState::gateway_error : ledger::EndState::upstream_error);
}

void Exchange::add_own_headers(http::FieldLines& out, bool provider_sent_id) const {
  append_own_headers(out, call_, *record_, provider_sent_id, added_so_far());
  if (has_own_limits()) {
    charges_->append_headers(out);
  }
}

/// The caller left, or the gateway stops and tells him so.
Task<void> Exchange::ended_early() {
  if (!end_.client_left && end_.cancellation.cancelled()) {
    Failure failure{
        .error = {.code = Code::shutting_down,
                  .message = fmt::format("The gateway is restarting and ended this call. Try again. Request id: {}.",
                                         call_.id)},
        .retry_after_seconds = 1,
        .own = {}};
    record_->error_code = weir::to_string(Code::shutting_down);
    add_own_headers(failure.own, false);
    static_cast<void>(co_await sink_.error(failure));
    if (record_->status == 0) {
      record_->status = openai::shape_of(Code::shutting_down).status;
    }
    settle(ledger::EndState::gateway_error);
    co_return;
  }
  settle(ledger::EndState::client_abort);
}

void Exchange::settle(ledger::EndState end_state) {
  settled_ = true;
  record_->end_state = end_state;
  const Instant now = core_.loop.look_at_clock();
  record_->duration = now - call_.started;
  record_->added = now - call_.received - waited_ - sink_.stalled();
  record_->response_bytes = sink_.bytes_sent();
  add_up(*record_);
  if (record_->target.empty() && !record_->attempts.empty()) {
    record_->target = record_->attempts.back().target;
  }
  if (charges_ != nullptr) {
    charges_->end();
  }
  core_.call_metrics.call_ended(*record_);
  for (ReplyTee* tee : core_.tees) {
    tee->ended(call_, end_state == ledger::EndState::complete && record_->status == 200);
  }
  live_.ended();
  if (uncounted_ != nullptr && uncounted_->job) {
    count_and_hand_over(core_, std::move(record_), std::move(uncounted_));
  } else {
    hand_over(core_, std::move(record_));
  }
}

}  // namespace weir::gateway
