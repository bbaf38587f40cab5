#pragma once

#include <optional>
#include <string>

#include "gateway/attempt.hpp"
#include "platform/clock.hpp"
#include "routing/policy.hpp"
#include "routing/resolve.hpp"
#include "routing/target_state.hpp"

namespace weir::gateway {

/// Why a target takes no call, for the record.
std::string words_of(const routing::Refused& refused, platform::Instant now);

/// The members that took no call, and what the caller is told where nobody did. Of one call; belongs to its loop.
class PassedOver {
 public:
  struct Member {
    const routing::Step* step = nullptr;
    routing::Candidate member{};  // a copy: members change places
    platform::Instant until = platform::never;
  };

  void note(const routing::Step* step, const routing::Candidate& member, const routing::Refused& refused);
  /// An operator took it out, or all keys that it could be asked with.
  void note_by_hand(platform::Instant until);

  /// Of those whose breaker is open, the one that recovers first: it may get a trial. Null where there is none, or
  /// somebody is only full.
  [[nodiscard]] const Member* first_to_recover() const;
  /// What the caller is told; nothing where nobody was passed over.
  [[nodiscard]] std::optional<AttemptResult> result(platform::Instant now) const;

 private:
  Member soonest_;        // of those that were passed over because of their breakers
  bool full_ = false;     // somebody was passed over because of max_in_flight
  bool by_hand_ = false;  // or because an operator opened his breaker
  platform::Instant by_hand_until_ = platform::never;
};

}  // namespace weir::gateway
