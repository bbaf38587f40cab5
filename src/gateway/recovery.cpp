#include "gateway/recovery.hpp"

#include <fmt/format.h>

#include "dialects/openai/prefill.hpp"
#include "text/json_value.hpp"

namespace weir::gateway {

using routing::RecoveryMode;

namespace {

bool has_seed(std::string_view body) {
  for (const std::string_view name : {"seed", "random_seed"}) {
    const auto seed = text::find_member(body, name);
    if (seed && seed->kind != text::JsonKind::null) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string_view Recovery::why_not(const routing::Target& target) const {
  return target.recovery.mode == RecoveryMode::none ? "its `recovery` is none" : std::string_view();
}

std::string_view Recovery::obstacle(const routing::Target& target) const {
  if (!delivered_) {
    return "no attempt was left";
  }
  if (const std::string_view why = why_not(target); !why.empty()) {
    return why;
  }
  if (!target.recovery.with_seed && has_seed(call_.body)) {
    return "the call has a seed of its own";
  }
  return delivered_->obstacle();
}

void Recovery::prepare(Attempt::Turn& turn, bool more_left) {
  const routing::Target& target = *turn.candidate.target;
  if (!pending_) {
    if (!call_.request.stream || target.recovery.mode == RecoveryMode::none || !more_left) {
      return;
    }
    if (!delivered_) {
      delivered_.emplace(core_.relay.delivered_bytes_max, core_.budget);
    }
    turn.delivered = &*delivered_;
    return;
  }
  turn.delivered = &*delivered_;
  turn.resume = Resume::proven;
  if (target.recovery.mode == RecoveryMode::prefill && prefill_refused_by_ != &target &&
      delivered_->is_content_alone() &&
      !openai::edit_prefill(call_.request, call_.body, delivered_->texts()[0].bytes, turn.provider.quirks().prefill)
           .empty()) {
    turn.resume = turn.provider.quirks().prefill == openai::Prefill::prefix_echoed ? Resume::echoed : Resume::prefill;
  }
}

Recovery::After Recovery::ended(const AttemptResult& result, const routing::Target& target,
                                const ledger::AttemptRecord& row) {
  if (!row.recovery.empty()) {
    core_.call_metrics.recovery(row.recovery, row.first_token ? "continued" : result.differs ? "differs" : "failed");
  }
  if (result.kind == AttemptResult::Kind::broken) {
    pending_ = false;
    failure_ = result.failure;
    reason_ = result.reason;
    target_ = row.target;
    if (!obstacle(target).empty()) {
      return After::tell;
    }
    pending_ = true;
    sink_.start_again();
    return After::next_attempt;
  }
  if (!pending_) {
    return After::as_usual;
  }
  if (row.recovery == "prefill" && (result.differs || is_about_request(result.failure.cause))) {
    prefill_refused_by_ = &target;
    return After::repeat;
  }
  return result.differs ? After::next_target : After::next_attempt;
}

void Recovery::finished(const ledger::AttemptRecord& row) {
  if (!row.recovery.empty() && row.first_token) {
    core_.call_metrics.recovery(row.recovery, "continued");
  }
}

Failure Recovery::failure(ledger::RequestRecord& record) const {
  core_.call_metrics.recovery("none", "told");
  record.error_code = weir::to_string(failure_.code);
  record.error_message = reason_;
  const bool asked_again = pending_ && !record.attempts.back().recovery.empty();
  return {.error = {.code = failure_.code,
                    .message = fmt::format(
                        "The answer of {} broke off: {}. What arrived before is incomplete{}. Request id: {}.", target_,
                        reason_, asked_again ? ", and no other answer goes on with it" : "", call_.id)},
          .reply = {},
          .retry_after_seconds = std::nullopt,
          .own = {}};
}

}  // namespace weir::gateway
