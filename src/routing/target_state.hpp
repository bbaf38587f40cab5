#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "platform/clock.hpp"
#include "routing/circuit_breaker.hpp"
#include "routing/policy.hpp"

namespace weir::routing {

/// How long an answer took to begin, weighted to the last ten seconds; a longer one than before counts at once, so that
/// a target that becomes slow is noticed with its first call. Sinks while nothing comes, so that a slow one gets
/// another chance. Plain value.
class PeakEwma {
 public:
  void add(platform::Duration sample, platform::Instant now);
  /// Zero: nothing is known (any more).
  [[nodiscard]] platform::Duration value(platform::Instant now) const;

 private:
  double nanoseconds_ = 0;
  platform::Instant at_{};
};

/// Calls in flight to one provider, over all its targets. Shared by all cores.
struct ProviderLoad {
  explicit ProviderLoad(std::string its_name) : name(std::move(its_name)) {}
  const std::string name;
  std::atomic<int> in_flight = 0;
};

/// Why a target takes no call now.
struct Refused {
  enum class Why : std::uint8_t { breaker_open, opened_by_hand, target_full, provider_full };
  Why why = Why::breaker_open;
  platform::Instant until{};  // as far as it is known: of an open breaker; `never`: until an operator closes it
};

class Slot;

/// What is known of one target while weir runs: its circuit breaker, how many calls are in flight, how quick it is.
///
/// One for all cores and all models that name the target; outside of snapshots, so it survives reloads. Any thread:
/// counts are atomics, the rest is locked for well under 1 µs, and not even that while the target is well.
class TargetState {
 public:
  TargetState(std::string name, std::shared_ptr<ProviderLoad> provider);

  enum class Trial : std::uint8_t { when_due, early };
  /// A place for one call, under the limits of `target`, which outlives the slot as this does. `early`: nobody else can
  /// take the call.
  std::expected<Slot, Refused> take(const Target& target, platform::Instant now, Trial trial = Trial::when_due);

  /// "provider/model"; "provider/*" where callers make up the model's name. Safe as a label.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  [[nodiscard]] platform::Duration expected_first_token(platform::Instant now) const;

  /// An open breaker whose trials may begin, and of which one is still to be had.
  [[nodiscard]] bool trial_due(const BreakerOptions& options, platform::Instant now) const;

  struct Report {
    std::string name;
    BreakerState breaker = BreakerState::closed;
    bool by_hand = false;
    int failures_in_a_row = 0;
    std::uint64_t trips = 0;
    platform::Instant open_until{};  // unless closed
    int in_flight = 0;
  };
  [[nodiscard]] Report report(platform::Instant now) const;
  void open_by_hand(platform::Instant until = platform::never);
  void close_by_hand();

 private:
  friend class Slot;
  void publish();

  const std::string name_;
  const std::shared_ptr<ProviderLoad> provider_;
  alignas(64) std::atomic<int> in_flight_ = 0;
  std::atomic<std::uint64_t> gate_ = 1;  // the breaker's period * 2, + 1 while it is calm: what a call needs to know
  mutable std::mutex mutex_;
  CircuitBreaker breaker_;
  PeakEwma first_token_;
};

/// One call's place at a target; given back in the destructor. Move-only; an empty one does nothing.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept { *this = std::move(other); }
  Slot& operator=(Slot&& other) noexcept;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() { end(CircuitBreaker::Outcome::nothing, {}); }

  /// The answer began after that time: a trial has succeeded. `timed`: somebody wants to know how long it took.
  void answered(platform::Duration took, platform::Instant now, bool timed);
  /// Gives the place back. True: the failure opened the breaker.
  bool end(CircuitBreaker::Outcome outcome, platform::Instant now);
  [[nodiscard]] bool trial() const { return permit_.trial; }

 private:
  friend class TargetState;
  Slot(TargetState& state, const Target& target, CircuitBreaker::Permit permit, bool counted_at_provider)
      : state_(&state), target_(&target), permit_(permit), counted_at_provider_(counted_at_provider) {}

  TargetState* state_ = nullptr;
  const Target* target_ = nullptr;
  CircuitBreaker::Permit permit_;
  bool counted_at_provider_ = false;
  bool answered_ = false;
  bool was_trial_ = false;
};

/// Whose turn it is in a step, over all cores: a sequence in which every stretch has its shares right. Any thread.
class StepTurns {
 public:
  /// In [0, 1): the fractional parts of n * golden ratio, which fill the interval evenly from the first call on.
  double next();

 private:
  std::atomic<std::uint64_t> turn_ = 0;
};

/// The states of all targets by name. Any thread.
class TargetStates {
 public:
  /// Gives each target, forward and step of the table what it shares with other cores and snapshots. `address`: what
  /// makes a provider another one than before (where it is); a target at another address starts afresh.
  void bind(ModelTable& table, const std::map<std::string, std::string, std::less<>>& addresses);
  /// Those that a snapshot or a call still holds, by name.
  [[nodiscard]] std::vector<std::shared_ptr<TargetState>> all() const;
  [[nodiscard]] std::shared_ptr<TargetState> find(std::string_view name) const;

 private:
  struct Entry {
    std::string address;
    std::weak_ptr<TargetState> state;
  };
  struct ProviderEntry {
    std::string address;
    std::weak_ptr<ProviderLoad> load;
  };
  std::shared_ptr<TargetState> get(const std::string& provider, const std::string& model, const std::string& address);

  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> states_;
  std::map<std::string, ProviderEntry, std::less<>> providers_;
};

}  // namespace weir::routing
