#include "gateway/retry_policy.hpp"

#include <algorithm>

namespace weir::gateway {

namespace {

/// Failures that may be gone at the next try. A target that was too slow is not asked again while others wait to be
/// asked, and a refused key stays refused.
bool may_repeat(const AttemptFailure& failure, const routing::Retry& retry) {
  if (failure.status != 0 && (failure.status < 200 || failure.status > 299)) {
    return std::ranges::find(retry.status_codes, failure.status) != retry.status_codes.end();
  }
  return failure.code != Code::upstream_timeout;
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

bool is_callers_fault(int status) {
  switch (status) {
    case 400:
    case 409:
    case 411:
    case 413:
    case 414:
    case 415:
    case 416:
    case 422:
    case 431: return true;
    default: return false;
  }
}

bool is_credential_refusal(int status) {
  return status == 401 || status == 402 || status == 403;
}

Decision decide(const AttemptFailure& failure, const routing::Retry& retry, int attempts, platform::Duration on_target,
                platform::Random& random) {
  if (is_callers_fault(failure.status)) {
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
