#include "gateway/passed_over.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace weir::gateway {

using platform::Duration;
using platform::Instant;
using Why = routing::Refused::Why;

namespace {

constexpr Duration soon = std::chrono::seconds(1);  // when to come back at the earliest
// What an operator took out without an end: nobody knows, and who asks each minute costs nothing.
constexpr Duration unknown_end = std::chrono::minutes(1);

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::string words_of(const routing::Refused& refused, Instant now) {
  switch (refused.why) {
    case Why::opened_by_hand:
      return refused.until == platform::never
                 ? "its circuit breaker was opened by hand"
                 : fmt::format("its circuit breaker was opened by hand, for another {:.1f} s",
                               seconds(refused.until - now));
    case Why::target_full: return "it has as many calls in flight as max_in_flight allows";
    case Why::provider_full: return "its provider has as many calls in flight as max_in_flight allows";
    case Why::breaker_open: break;
  }
  if (refused.until <= now) {
    return "its circuit breaker is half-open, and other calls try it out";
  }
  return fmt::format("its circuit breaker is open for another {:.1f} s", seconds(refused.until - now));
}

void PassedOver::note(const routing::Step* step, const routing::Candidate& member, const routing::Refused& refused) {
  switch (refused.why) {
    case Why::opened_by_hand: note_by_hand(refused.until); break;
    case Why::target_full:
    case Why::provider_full: full_ = true; break;
    case Why::breaker_open:
      if (refused.until < soonest_.until) {
        soonest_ = {.step = step, .member = member, .until = refused.until};
      }
      break;
  }
}

void PassedOver::note_by_hand(Instant until) {
  by_hand_ = true;
  by_hand_until_ = std::min(by_hand_until_, until);
}

const PassedOver::Member* PassedOver::first_to_recover() const {
  return soonest_.member.target == nullptr || full_ ? nullptr : &soonest_;
}

std::optional<AttemptResult> PassedOver::result(Instant now) const {
  if (full_) {
    return AttemptResult{.failure = {.code = Code::queue_full, .retry_after = soon},
                         .reason = "it has as many calls in flight as max_in_flight allows"};
  }
  if (soonest_.member.target != nullptr) {
    return AttemptResult{
        .failure = {.code = Code::upstream_unavailable,
                    .retry_after = std::max<Duration>(std::min(soonest_.until, by_hand_until_) - now, soon)},
        .reason = "it failed too often of late and is left alone for a while"};
  }
  if (by_hand_) {
    const bool has_end = by_hand_until_ != platform::never;
    return AttemptResult{
        .failure = {.code = Code::upstream_unavailable,
                    .retry_after = has_end ? std::max<Duration>(by_hand_until_ - now, soon) : unknown_end},
        .reason = "the operator took it out of service"};
  }
  return std::nullopt;
}

}  // namespace weir::gateway
