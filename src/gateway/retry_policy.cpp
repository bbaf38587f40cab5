#include "gateway/retry_policy.hpp"

#include <algorithm>

namespace weir::gateway {

using llm::Cause;

namespace {

/// Whether the same target may do better at the next try. A target that was too slow is not asked again while others
/// wait to be asked, and a refused certificate stays refused.
bool may_repeat(const AttemptFailure& failure, const routing::Retry& retry) {
  switch (failure.cause) {
    case Cause::rate:
    case Cause::overload:
    case Cause::transport:
    case Cause::malformed:
    case Cause::slow: break;
    default: return false;
  }
  if (failure.status != 0 && (failure.status < 200 || failure.status > 299)) {
    return std::ranges::find(retry.status_codes, failure.status) != retry.status_codes.end();
  }
  return failure.cause != Cause::slow && failure.code != Code::upstream_certificate;
}

/// Doubles, full jitter: anything between nothing and the bound, so that callers who failed together do not return
/// together.
platform::Duration backoff(const routing::Retry& retry, int attempts, platform::Random& random) {
  const int doublings = std::min(attempts - 1, 20);
  const platform::Duration bound =
      std::min<platform::Duration>(retry.backoff * (std::int64_t{1} << doublings), retry.backoff_max);
  return platform::Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound.count()) + 1)));
}

}  // namespace

Cause cause_of(Code code) {
  switch (code) {
    case Code::upstream_unreachable:
    case Code::upstream_broken:
    case Code::upstream_certificate:
    case Code::unreachable:
    case Code::refused:
    case Code::reset:
    case Code::end_of_stream: return Cause::transport;
    case Code::upstream_timeout:
    case Code::timeout: return Cause::slow;
    case Code::upstream_malformed: return Cause::malformed;
    case Code::upstream_error: return Cause::overload;
    case Code::upstream_credentials: return Cause::credential;
    default: return Cause::gateway;
  }
}

bool is_about_request(Cause cause) {
  return cause == Cause::callers_fault || cause == Cause::content_policy || cause == Cause::context_window ||
         cause == Cause::unsupported;
}

bool is_credential_refusal(Cause cause) {
  return cause == Cause::credential || cause == Cause::key_quota;
}

Decision decide(const AttemptFailure& failure, const routing::Retry& retry, int attempts, platform::Duration on_target,
                platform::Random& random) {
  if (failure.cause == Cause::callers_fault || failure.cause == Cause::content_policy) {
    return {.step = NextStep::give_up};
  }
  if (attempts >= retry.attempts || !may_repeat(failure, retry)) {
    return {.step = NextStep::next_target};
  }
  const platform::Duration wait =
      std::max(backoff(retry, attempts, random), failure.retry_after.value_or(platform::Duration{}));
  if (failure.retry_after > retry.backoff_max || on_target + wait > retry.stop_after) {
    return {.step = NextStep::next_target};
  }
  return {.step = NextStep::repeat, .wait = wait};
}

}  // namespace weir::gateway
