#pragma once

#include <optional>
#include <string>

#include "gateway/attempt.hpp"
#include "gateway/continuation.hpp"
#include "gateway/core.hpp"
#include "gateway/keep_alive.hpp"
#include "routing/policy.hpp"

namespace weir::gateway {

/// Of one call: whether another answer may go on with a stream that broke off after content had left, and how the
/// targets are asked for it. The loop over the attempts asks them; this says which, and keeps what the caller has.
///
/// Once per call, beside the loop; one per call, belongs to its loop.
class Recovery {
 public:
  Recovery(Core& core, const Call& call, KeepAlive& sink) : core_(core), call_(call), sink_(sink) {}

  /// A stream broke off, and nobody has gone on with it yet: the caller waits for the rest or for the truth.
  [[nodiscard]] bool pending() const { return pending_; }
  /// Why this target is not asked while pending(); empty: it may be.
  [[nodiscard]] std::string_view why_not(const routing::Target& target) const;
  /// Before each attempt. `more_left`: another attempt could follow it.
  void prepare(Attempt::Turn& turn, bool more_left);

  enum class After : std::uint8_t {
    as_usual,      // nothing has left: the rules of retry and fallback hold
    tell,          // the caller has to be told that the answer broke off: failure()
    repeat,        // the same target at once, asked otherwise; does not count as an attempt
    next_attempt,  // pending: the next attempt as the rules have it, but nobody's answer goes to the caller
    next_target,   // pending: this target has another answer
  };
  /// After each attempt that failed or broke off.
  After ended(const AttemptResult& result, const routing::Target& target, const ledger::AttemptRecord& row);
  /// No attempt is left, or was: what the caller is told of the answer that broke off.
  [[nodiscard]] Failure failure(ledger::RequestRecord& record) const;
  /// The whole answer is with the caller.
  void finished(const ledger::AttemptRecord& row);

 private:
  [[nodiscard]] std::string_view obstacle(const routing::Target& target) const;

  Core& core_;
  const Call& call_;
  KeepAlive& sink_;
  std::optional<Delivered> delivered_;
  bool pending_ = false;
  const routing::Target* prefill_refused_by_ = nullptr;
  AttemptFailure failure_;  // of the answer that broke off
  std::string reason_;
  std::string target_;
};

}  // namespace weir::gateway
