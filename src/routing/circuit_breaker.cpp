#include "routing/circuit_breaker.hpp"

#include <algorithm>
#include <cmath>

namespace weir::routing {

using platform::Instant;
using std::chrono::milliseconds;

namespace {

constexpr int doublings_max = 5;
constexpr milliseconds recovery_max = std::chrono::hours(24);

/// How many of the trials have to succeed.
int successes_needed(const BreakerOptions& options) {
  if (!options.adaptive) {
    return options.half_open_max_calls;
  }
  const double share = options.recovery_success_threshold * options.half_open_max_calls;
  return std::max(1, static_cast<int>(std::ceil(share - 1e-9)));
}

}  // namespace

std::string_view to_string(BreakerState state) {
  switch (state) {
    case BreakerState::closed: return "closed";
    case BreakerState::open: return "open";
    case BreakerState::half_open: return "half_open";
  }
  return "closed";
}

BreakerState CircuitBreaker::state(Instant now) const {
  if (!open_) {
    return BreakerState::closed;
  }
  return now < open_until_ ? BreakerState::open : BreakerState::half_open;
}

bool CircuitBreaker::admits(const BreakerOptions& options, Instant now) const {
  switch (state(now)) {
    case BreakerState::closed: return true;
    case BreakerState::open: return false;
    case BreakerState::half_open: break;
  }
  return running_ + succeeded_ + failed_ < options.half_open_max_calls;
}

std::optional<CircuitBreaker::Permit> CircuitBreaker::admit(const BreakerOptions& options, Instant now) {
  if (!admits(options, now)) {
    return std::nullopt;
  }
  if (!open_) {
    return Permit{.period = period_};
  }
  ++running_;
  return Permit{.period = period_, .trial = true};
}

std::optional<CircuitBreaker::Permit> CircuitBreaker::admit_early(const BreakerOptions& options, Instant now) {
  if (state(now) != BreakerState::open) {
    return admit(options, now);
  }
  if (opened_by_hand(now) || early_ >= options.half_open_max_calls) {
    return std::nullopt;
  }
  ++early_;
  ++running_;
  return Permit{.period = period_, .trial = true};
}

bool CircuitBreaker::ended(Permit permit, Outcome outcome, const BreakerOptions& options, Instant now) {
  if (permit.period != period_) {
    return false;
  }
  if (permit.trial) {
    return ended_trial(outcome, options, now);
  }
  if (outcome == Outcome::nothing) {
    return false;
  }
  const bool succeeded = outcome == Outcome::success;
  failures_ = succeeded ? 0 : failures_ + 1;
  const bool trips = outcome == Outcome::refusal || (options.adaptive ? count_adaptive(succeeded, options, now)
                                                                      : failures_ >= options.failure_threshold);
  if (trips) {
    open(options, now);
  }
  return trips;
}

bool CircuitBreaker::ended_trial(Outcome outcome, const BreakerOptions& options, Instant now) {
  running_ = std::max(0, running_ - 1);
  if (outcome == Outcome::nothing) {
    return false;
  }
  if (outcome == Outcome::success) {
    if (++succeeded_ >= successes_needed(options)) {
      close(now);
    }
    return false;
  }
  if (state(now) == BreakerState::open) {
    succeeded_ = 0;  // an early trial: it is known to be ill, and when it will be asked again
    return false;
  }
  if (++failed_ > options.half_open_max_calls - successes_needed(options) || outcome == Outcome::refusal) {
    open(options, now);
    return true;
  }
  return false;
}

/// Whether the failures of the window are too many.
bool CircuitBreaker::count_adaptive(bool succeeded, const BreakerOptions& options, Instant now) {
  failure_window_.add(options.failure_rate_window, now, succeeded);
  success_window_.add(options.success_rate_window, now, succeeded);
  if (succeeded) {
    if (doublings_ > 0 && now - good_since_ >= options.success_rate_window) {
      const Window::Sum sum = success_window_.sum(options.success_rate_window, now);
      const auto all = static_cast<double>(sum.succeeded + sum.failed);
      if (static_cast<double>(sum.succeeded) >= options.recovery_success_threshold * all) {
        --doublings_;
      }
      good_since_ = now;
    }
    return false;
  }
  const Window::Sum sum = failure_window_.sum(options.failure_rate_window, now);
  return sum.failed >= static_cast<std::uint64_t>(options.failure_threshold) && sum.failed > sum.succeeded;
}

void CircuitBreaker::open(const BreakerOptions& options, Instant now) {
  open_ = true;
  by_hand_ = false;
  ++period_;
  ++trips_;
  milliseconds timeout = options.recovery_timeout;
  if (options.adaptive) {
    timeout = std::min(timeout * (std::int64_t{1} << doublings_), std::max(recovery_max, options.recovery_timeout));
    doublings_ = std::min(doublings_ + 1, doublings_max);
  }
  open_until_ = now + timeout;
  early_ = running_ = succeeded_ = failed_ = 0;
}

void CircuitBreaker::close(Instant now) {
  open_ = by_hand_ = false;
  ++period_;
  open_until_ = {};
  failures_ = early_ = running_ = succeeded_ = failed_ = 0;
  good_since_ = now;
  failure_window_.clear();
  success_window_.clear();
}

void CircuitBreaker::open_by_hand(Instant until) {
  open_ = by_hand_ = true;
  ++period_;
  open_until_ = until;
  failures_ = early_ = running_ = succeeded_ = failed_ = 0;
}

void CircuitBreaker::close_by_hand() {
  close({});
  doublings_ = 0;
}

void CircuitBreaker::forget_calls() {
  ++period_;
  early_ = running_ = succeeded_ = failed_ = 0;
}

void CircuitBreaker::forgive() {
  if (open_ && by_hand_) {
    forget_calls();
  } else {
    close_by_hand();
  }
}

std::int64_t CircuitBreaker::Window::slot_of(milliseconds width, Instant now) {
  const std::chrono::nanoseconds slot = width / count;
  return now.time_since_epoch() / std::max(slot, std::chrono::nanoseconds(1));
}

void CircuitBreaker::Window::add(milliseconds width, Instant now, bool succeeded) {
  const std::int64_t number = slot_of(width, now);
  Slot& slot = slots_[static_cast<std::size_t>(number % count)];
  if (slot.number != number) {
    slot = {.number = number, .sum = {}};
  }
  ++(succeeded ? slot.sum.succeeded : slot.sum.failed);
}

CircuitBreaker::Window::Sum CircuitBreaker::Window::sum(milliseconds width, Instant now) const {
  const std::int64_t newest = slot_of(width, now);
  Sum sum;
  for (const Slot& slot : slots_) {
    if (slot.number > newest - count && slot.number <= newest) {
      sum.succeeded += slot.sum.succeeded;
      sum.failed += slot.sum.failed;
    }
  }
  return sum;
}

}  // namespace weir::routing
