#pragma once

#include <chrono>
#include <optional>

#include "base/result.hpp"
#include "platform/clock.hpp"
#include "platform/random.hpp"
#include "routing/policy.hpp"

namespace weir::gateway {

/// Why an attempt failed before anything of its answer was delivered.
struct AttemptFailure {
  Code code = Code::internal;
  int status = 0;                                 // the provider's, 0 where it did not answer
  std::optional<platform::Duration> retry_after;  // the provider's wish
};

enum class NextStep : std::uint8_t {
  repeat,       // the same target, after `wait`
  next_target,  // another one, at once
  give_up,      // the caller gets this answer as it is
};

struct Decision {
  NextStep step = NextStep::next_target;
  platform::Duration wait{};
};

/// Statuses with which a provider says that the request itself is wrong: another target would say the same.
bool is_callers_fault(int status);
/// Statuses with which it refuses our key or its balance.
bool is_credential_refusal(int status);

/// What to do after a failed attempt. Pure: the same arguments and random numbers give the same decision.
/// `attempts`: how many this target has had, the failed one included. `on_target`: since its first one began.
Decision decide(const AttemptFailure& failure, const routing::Retry& retry, int attempts, platform::Duration on_target,
                platform::Random& random);

}  // namespace weir::gateway
