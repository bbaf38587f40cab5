#include "routing/target_state.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::routing {

using platform::Duration;
using platform::Instant;
using Outcome = CircuitBreaker::Outcome;
using Permit = CircuitBreaker::Permit;

namespace {

constexpr double memory_seconds = 10;

double weight_after(Duration passed) {
  const double seconds = std::chrono::duration<double>(passed).count();
  return seconds <= 0 ? 1.0 : std::exp(-seconds / memory_seconds);
}

/// One more, unless there are `most` already; 0: without a limit.
bool add_one(std::atomic<int>& count, int most) {
  if (most == 0) {
    count.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  int seen = count.load(std::memory_order_relaxed);
  while (seen < most) {
    if (count.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

}  // namespace

void PeakEwma::add(Duration sample, Instant now) {
  const auto nanoseconds = static_cast<double>(sample.count());
  const double weight = at_ == Instant{} ? 0.0 : weight_after(now - at_);
  nanoseconds_ = nanoseconds > nanoseconds_ ? nanoseconds : nanoseconds_ * weight + nanoseconds * (1 - weight);
  at_ = now;
}

Duration PeakEwma::value(Instant now) const {
  return Duration(static_cast<std::int64_t>(nanoseconds_ * weight_after(now - at_)));
}

TargetState::TargetState(std::string name, std::shared_ptr<ProviderLoad> provider)
    : name_(std::move(name)), provider_(std::move(provider)) {}

std::expected<Slot, Refused> TargetState::take(const Target& target, Instant now, Trial trial) {
  Permit permit;
  if (const std::uint64_t gate = gate_.load(std::memory_order_relaxed); (gate & 1) != 0 && !target.breaker.adaptive) {
    permit.period = static_cast<std::uint32_t>(gate >> 1);
  } else {
    const std::scoped_lock lock(mutex_);
    const auto admitted =
        trial == Trial::early ? breaker_.admit_early(target.breaker, now) : breaker_.admit(target.breaker, now);
    if (!admitted) {
      return std::unexpected(
          Refused{.why = breaker_.opened_by_hand(now) ? Refused::Why::opened_by_hand : Refused::Why::breaker_open,
                  .until = breaker_.open_until()});
    }
    permit = *admitted;
  }
  const bool at_provider = target.provider_max_in_flight != 0;
  const bool has_room = add_one(in_flight_, target.max_in_flight);
  const bool provider_has_room =
      has_room && (!at_provider || add_one(provider_->in_flight, target.provider_max_in_flight));
  if (has_room) {
    Slot slot(*this, target, permit, at_provider && provider_has_room);
    if (provider_has_room) {
      return slot;
    }
    return std::unexpected(Refused{.why = Refused::Why::provider_full});  // the slot gives the rest back
  }
  if (permit.trial) {
    const std::scoped_lock lock(mutex_);
    breaker_.ended(permit, Outcome::nothing, target.breaker, now);
  }
  return std::unexpected(Refused{.why = Refused::Why::target_full});
}

Duration TargetState::expected_first_token(Instant now) const {
  const std::scoped_lock lock(mutex_);
  return first_token_.value(now);
}

bool TargetState::trial_due(const BreakerOptions& options, Instant now) const {
  const std::scoped_lock lock(mutex_);
  return breaker_.state(now) == BreakerState::half_open && breaker_.admits(options, now);
}

TargetState::Report TargetState::report(Instant now) const {
  const std::scoped_lock lock(mutex_);
  return {.name = name_,
          .breaker = breaker_.state(now),
          .by_hand = breaker_.opened_by_hand(now),
          .failures_in_a_row = breaker_.failures_in_a_row(),
          .trips = breaker_.trips(),
          .open_until = breaker_.open_until(),
          .in_flight = in_flight()};
}

void TargetState::open_by_hand(Instant until) {
  const std::scoped_lock lock(mutex_);
  breaker_.open_by_hand(until);
  publish();
}

void TargetState::close_by_hand() {
  const std::scoped_lock lock(mutex_);
  breaker_.close_by_hand();
  publish();
}

void TargetState::publish() {
  gate_.store((std::uint64_t{breaker_.period()} << 1) | (breaker_.calm() ? 1 : 0), std::memory_order_relaxed);
}

Slot& Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    end(Outcome::nothing, {});
    state_ = std::exchange(other.state_, nullptr);
    target_ = other.target_;
    permit_ = other.permit_;
    counted_at_provider_ = other.counted_at_provider_;
    answered_ = other.answered_;
    was_trial_ = other.was_trial_;
  }
  return *this;
}

void Slot::answered(Duration took, Instant now, bool timed) {
  if (state_ == nullptr || answered_ || (!permit_.trial && !timed)) {
    return;
  }
  answered_ = true;
  const std::scoped_lock lock(state_->mutex_);
  if (timed) {
    state_->first_token_.add(took, now);
  }
  if (permit_.trial) {
    state_->breaker_.ended(permit_, Outcome::success, target_->breaker, now);
    state_->publish();
    // What comes of the rest of the answer is judged like that of any other call, whatever the period then.
    permit_.trial = false;
    was_trial_ = true;
  }
}

bool Slot::end(Outcome outcome, Instant now) {
  if (state_ == nullptr) {
    return false;
  }
  TargetState& state = *std::exchange(state_, nullptr);
  state.in_flight_.fetch_sub(1, std::memory_order_relaxed);
  if (counted_at_provider_) {
    state.provider_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  }
  const bool calm = (state.gate_.load(std::memory_order_relaxed) & 1) != 0 && !target_->breaker.adaptive;
  if (!permit_.trial && (outcome == Outcome::nothing || (calm && outcome == Outcome::success))) {
    return false;
  }
  const std::scoped_lock lock(state.mutex_);
  if (was_trial_) {
    permit_.period = state.breaker_.period();
  }
  const bool opened = state.breaker_.ended(permit_, outcome, target_->breaker, now);
  state.publish();
  return opened;
}

double StepTurns::next() {
  // 2^64 / golden ratio; the product wraps around, which is the fractional part.
  const std::uint64_t turn = turn_.fetch_add(1, std::memory_order_relaxed) * 0x9E3779B97F4A7C15U;
  return static_cast<double>(turn >> 11) * 0x1.0p-53;
}

std::shared_ptr<TargetState> TargetStates::get(const std::string& provider, const std::string& model,
                                               const std::string& address) {
  std::string name = provider + "/" + model;
  Entry& entry = states_[name];
  auto state = entry.state.lock();
  if (state == nullptr || entry.address != address) {
    ProviderEntry& shared = providers_[provider];
    auto load = shared.load.lock();
    if (load == nullptr || shared.address != address) {
      load = std::make_shared<ProviderLoad>(provider);
      shared = {.address = address, .load = load};
    }
    state = std::make_shared<TargetState>(std::move(name), std::move(load));
    entry = {.address = address, .state = state};
  }
  return state;
}

void TargetStates::bind(ModelTable& table, const std::map<std::string, std::string, std::less<>>& addresses) {
  const std::scoped_lock lock(mutex_);
  const auto address_of = [&](const std::string& provider) {
    const auto found = addresses.find(provider);
    return found == addresses.end() ? std::string() : found->second;
  };
  const auto bind_policy = [&](ModelPolicy& policy) {
    for (Step& step : policy.steps) {
      step.turns.state = std::make_shared<StepTurns>();
      for (Target& target : step.any_of) {
        const bool made_up = target.model.find('*') != std::string::npos;
        target.live.state = get(target.provider, made_up ? "*" : target.model, address_of(target.provider));
      }
    }
  };
  for (auto& [name, policy] : table.exact) {
    bind_policy(policy);
  }
  for (Pattern& pattern : table.patterns) {
    bind_policy(pattern.policy);
  }
  for (Forward& forward : table.forwards) {
    forward.live.state = get(forward.provider, "*", address_of(forward.provider));
  }
  std::erase_if(states_, [](const auto& entry) { return entry.second.state.expired(); });
  std::erase_if(providers_, [](const auto& entry) { return entry.second.load.expired(); });
}

std::vector<std::shared_ptr<TargetState>> TargetStates::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<TargetState>> states;
  states.reserve(states_.size());
  for (const auto& [name, entry] : states_) {
    if (auto state = entry.state.lock()) {
      states.push_back(std::move(state));
    }
  }
  return states;
}

std::shared_ptr<TargetState> TargetStates::find(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = states_.find(name);
  return found == states_.end() ? nullptr : found->second.state.lock();
}

}  // namespace weir::routing
