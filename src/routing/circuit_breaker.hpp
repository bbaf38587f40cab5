#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "platform/clock.hpp"

namespace weir::routing {

/// When whoever fails is left alone, and for how long. Plain value; the defaults are the documented ones.
struct BreakerOptions {
  int failure_threshold = 5;                              // failures in a row that open it; > 0
  std::chrono::milliseconds recovery_timeout{60'000};     // how long it stays open
  int half_open_max_calls = 3;                            // trials in a recovery period; > 0
  bool adaptive = false;                                  // see CircuitBreaker
  std::chrono::milliseconds success_rate_window{60'000};  // adaptive only
  std::chrono::milliseconds failure_rate_window{60'000};  // adaptive only
  double recovery_success_threshold = 0.8;                // adaptive only: share of the trials, 0 to 1
  friend bool operator==(const BreakerOptions&, const BreakerOptions&) = default;
};

enum class BreakerState : std::uint8_t { closed, open, half_open };
std::string_view to_string(BreakerState state);

/// Leaves whoever fails alone for a while, then lets a few trials find out how it is.
///
/// Closed: every call may go; `failure_threshold` failures in a row open it. Open: none may, until one absolute instant
/// that no late result moves. Half-open, from that instant on: `half_open_max_calls` trials may go; when all of them
/// succeed it closes, with the first failure it opens again. Results of calls that began before the last change count
/// for nothing.
///
/// Adaptive: it opens on `failure_threshold` failures within `failure_rate_window` if they are more than half of that
/// window's calls; the share `recovery_success_threshold` of the trials is enough to close it; each trip without a good
/// time in between doubles the recovery timeout (up to 32 times), each `success_rate_window` with that share of
/// successes halves it again.
///
/// A value: no I/O, no clock, no lock; whoever holds it protects it. The options come with each call, so that a reload
/// needs to tell nobody.
class CircuitBreaker {
 public:
  /// What a call that was let through has to give back. `period`: the time between two changes in which it began.
  struct Permit {
    std::uint32_t period = 0;
    bool trial = false;
  };
  enum class Outcome : std::uint8_t {
    success,
    failure,  // the provider's own fault
    refusal,  // likewise, and once is enough to open it: the same call would end so again
    nothing,  // says nothing about it: the caller left or was at fault, the key was refused
  };

  std::optional<Permit> admit(const BreakerOptions& options, platform::Instant now);
  /// Whether admit() would let a call through.
  [[nodiscard]] bool admits(const BreakerOptions& options, platform::Instant now) const;
  /// For a call that nobody else can take: a trial while it is still open, at most half_open_max_calls in a recovery
  /// period. Its failure moves no deadline.
  std::optional<Permit> admit_early(const BreakerOptions& options, platform::Instant now);
  /// Once for each permit. True: this opened it.
  bool ended(Permit permit, Outcome outcome, const BreakerOptions& options, platform::Instant now);

  /// Until then, when trials begin; `never`: until somebody closes it.
  void open_by_hand(platform::Instant until = platform::never);
  /// As if nothing had ever failed.
  void close_by_hand();
  /// For a copy whose calls are not the original's: no trial is running, and none of theirs ends here.
  void forget_calls();
  /// It is another now, of which nothing bad is known: closed, unless an operator opened it.
  void forgive();

  [[nodiscard]] BreakerState state(platform::Instant now) const;
  /// When the next call may go, as far as time alone decides: `never` if opened by hand; the past if closed.
  [[nodiscard]] platform::Instant open_until() const { return open_until_; }
  [[nodiscard]] bool opened_by_hand(platform::Instant now) const { return open_ && by_hand_ && now < open_until_; }
  [[nodiscard]] int failures_in_a_row() const { return failures_; }
  [[nodiscard]] std::uint64_t trips() const { return trips_; }
  [[nodiscard]] std::uint32_t period() const { return period_; }
  /// Closed with nothing to remember: unless it is adaptive, a success would change nothing.
  [[nodiscard]] bool calm() const { return !open_ && failures_ == 0; }

 private:
  /// Successes and failures of the last while, in ten slots.
  class Window {
   public:
    struct Sum {
      std::uint64_t succeeded = 0;
      std::uint64_t failed = 0;
    };
    void add(std::chrono::milliseconds width, platform::Instant now, bool succeeded);
    [[nodiscard]] Sum sum(std::chrono::milliseconds width, platform::Instant now) const;
    void clear() { *this = {}; }

   private:
    static constexpr std::int64_t count = 10;
    struct Slot {
      std::int64_t number = -1;
      Sum sum;
    };
    static std::int64_t slot_of(std::chrono::milliseconds width, platform::Instant now);
    std::array<Slot, count> slots_;
  };

  void open(const BreakerOptions& options, platform::Instant now);
  void close(platform::Instant now);
  bool ended_trial(Outcome outcome, const BreakerOptions& options, platform::Instant now);
  bool count_adaptive(bool succeeded, const BreakerOptions& options, platform::Instant now);

  bool open_ = false;  // open or half-open, by the time
  bool by_hand_ = false;
  std::uint32_t period_ = 0;
  platform::Instant open_until_{};
  int failures_ = 0;  // in a row, while closed
  int early_ = 0;     // trials before open_until_
  int running_ = 0;   // trials that have not ended
  int succeeded_ = 0;
  int failed_ = 0;
  std::uint64_t trips_ = 0;
  // Adaptive.
  int doublings_ = 0;  // of the next recovery timeout
  platform::Instant good_since_{};
  Window failure_window_;
  Window success_window_;
};

}  // namespace weir::routing
