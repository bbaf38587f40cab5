#pragma once

#include <chrono>
#include <optional>

#include "base/result.hpp"
#include "llm/cause.hpp"
#include "platform/clock.hpp"
#include "platform/random.hpp"
#include "routing/policy.hpp"

namespace weir::gateway {

/// Why an attempt failed before anything of its answer was delivered.
struct AttemptFailure {
  Code code = Code::internal;
  llm::Cause cause = llm::Cause::gateway;         // decides what happens next
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

/// The cause of a failure that is no answer of the provider's.
llm::Cause cause_of(Code code);
/// The request is at fault, not who was asked: the caller's answer, and no failure in anybody's statistics.
bool is_about_request(llm::Cause cause);
/// Our key is refused for good, or its money is spent: the caller learns neither status nor words.
bool is_credential_refusal(llm::Cause cause);

/// What to do after a failed attempt; it follows from the cause. Pure: the same arguments and random numbers give the
/// same decision.
/// `attempts`: how many this target has had, the failed one included. `on_target`: since its first one began.
Decision decide(const AttemptFailure& failure, const routing::Retry& retry, int attempts, platform::Duration on_target,
                platform::Random& random);

}  // namespace weir::gateway
