#include "providers/key_pool.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace weir::providers {

namespace {

using llm::Cause;
using platform::Duration;
using platform::Instant;
using namespace std::chrono_literals;

using Outcome = routing::CircuitBreaker::Outcome;

constexpr std::size_t models_max = 64;  // that are remembered of one key
// A key that is refused again and again is tried ever more rarely, but not more rarely than this.
constexpr std::chrono::milliseconds out_max = 10min;
// Providers tell waits of a day where one call alone exceeds a limit: no reason to leave a key alone for so long.
constexpr Duration rest_max = 10min;

/// What the end of a call says of its key.
Outcome outcome_of(std::optional<Cause> cause, const RateLimits& limits) {
  if (!cause) {
    return Outcome::success;
  }
  switch (*cause) {
    case Cause::credential:
    case Cause::key_quota: return Outcome::refusal;
    // Who says when to come back knows the key, and has it rest for that model.
    case Cause::rate: return limits.retry_after ? Outcome::success : Outcome::failure;
    case Cause::transport:
    case Cause::slow:
    case Cause::malformed:
    case Cause::gateway: return Outcome::nothing;  // nobody answered: nothing is known of it
    default: return Outcome::success;              // whatever else went wrong, it was good enough to be answered
  }
}

void replace_all(std::string& words, const std::string& secret) {
  constexpr std::string_view instead = "[secret]";
  for (std::size_t at = secret.empty() ? std::string::npos : words.find(secret); at != std::string::npos;
       at = words.find(secret, at + instead.size())) {
    words.replace(at, secret.size(), instead);
  }
}

}  // namespace

KeyPool::KeyPool(std::string provider, std::vector<KeyOptions> keys, KeyChoice choice,
                 const routing::BreakerOptions& breaker)
    : provider_(std::move(provider)), choice_(choice) {
  set_breaker(breaker);
  WEIR_ASSERT(!keys.empty() && keys.size() <= keys_max, "the configuration was checked");
  keys_.reserve(keys.size());
  for (KeyOptions& key : keys) {
    keys_.push_back({.label = std::move(key.label),
                     .weight = std::max(1, key.weight),
                     .priority = key.priority,
                     .value = std::make_shared<const Secret>(std::move(key.value)),
                     .before = nullptr});
  }
}

KeyPool::Lease::~Lease() {
  if (pool_ == nullptr) {
    return;  // moved on
  }
  const std::lock_guard lock(pool_->mutex_);
  Key& key = pool_->keys_[index_];
  --key.in_flight;
  if (permit_ && permit_->trial) {
    key.breaker.ended(*permit_, Outcome::nothing, pool_->breaker_, {});
  }
}

const KeyPool::Limits* KeyPool::limits_of(const Key& key, std::string_view model) {
  const auto found = std::ranges::find(key.limits, model, &Limits::model);
  return found == key.limits.end() ? nullptr : &*found;
}

KeyPool::Limits& KeyPool::limits_for(Key& key, std::string_view model, Instant now) {
  if (const Limits* known = limits_of(key, model)) {
    return const_cast<Limits&>(*known);  // of a key that is not const
  }
  // Callers may make up names: what is over makes room, and else what is over soonest.
  std::erase_if(key.limits, [now](const Limits& one) { return one.resting_until <= now && one.spent_until <= now; });
  if (key.limits.size() >= models_max) {
    key.limits.erase(std::ranges::min_element(key.limits, {}, &Limits::resting_until));
  }
  return key.limits.emplace_back(std::string(model), Instant::min(), Instant::min());
}

Instant KeyPool::usable_from(const Key& key, std::string_view model, Instant now) const {
  if (key.value->empty()) {
    return platform::never;
  }
  Instant from = Instant::min();
  if (!key.breaker.admits(breaker_, now)) {
    // Where other calls try it out, it comes back, if at all, when they have succeeded.
    from = key.breaker.open_until() <= now ? platform::never : key.breaker.open_until();
  }
  if (const Limits* limits = limits_of(key, model)) {
    from = std::max(from, limits->resting_until);
  }
  return from;
}

routing::BreakerOptions KeyPool::breaker_of(const Key& key) const {
  routing::BreakerOptions options = breaker_;
  const std::chrono::milliseconds most = std::max(out_max, options.recovery_timeout);
  options.recovery_timeout =
      std::min(options.recovery_timeout * (std::int64_t{1} << std::min(key.trips_in_row, 20)), most);
  return options;
}

/// True: this opened the breaker.
bool KeyPool::end_permit(Lease& lease, Outcome outcome, Instant now) {
  if (!lease.permit_ || outcome == Outcome::nothing) {
    return false;  // a trial goes on
  }
  Key& key = keys_[lease.index_];
  const bool opened = key.breaker.ended(*lease.permit_, outcome, breaker_of(key), now);
  if (opened) {
    ++key.trips_in_row;
  } else if (key.breaker.state(now) == routing::BreakerState::closed) {
    key.trips_in_row = 0;
  }
  // The same call may go again with it, and is then judged like any other.
  lease.permit_ = routing::CircuitBreaker::Permit{.period = key.breaker.period()};
  return opened;
}

std::size_t KeyPool::choose(const KeySet& among) {
  std::size_t best = keys_.size();
  std::int64_t weights = 0;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (!among.test(i)) {
      continue;
    }
    if (choice_ == KeyChoice::weighted) {
      keys_[i].balance += keys_[i].weight;
      weights += keys_[i].weight;
    }
    if (best == keys_.size()) {
      best = i;
      continue;
    }
    const Key& one = keys_[i];
    const Key& other = keys_[best];
    const auto rank = [this](const Key& key) -> std::int64_t {
      switch (choice_) {
        case KeyChoice::priority: return key.priority;
        case KeyChoice::least_used: return key.in_flight;
        case KeyChoice::weighted: return -key.balance;
        case KeyChoice::round_robin: return 0;
      }
      return 0;
    };
    const std::int64_t first = rank(one);
    const std::int64_t second = rank(other);
    // Of equals the one that rests longest, which is taking turns; by weight the earlier one.
    if (first < second || (first == second && choice_ != KeyChoice::weighted && one.last_taken < other.last_taken)) {
      best = i;
    }
  }
  if (choice_ == KeyChoice::weighted) {
    keys_[best].balance -= weights;
  }
  return best;
}

KeyPool::Lease KeyPool::lease(std::size_t index, Lease::Permit permit) {
  Key& key = keys_[index];
  ++key.in_flight;
  ++key.calls;
  key.last_taken = ++taken_;
  return {shared_from_this(), index, key.value, permit};
}

std::optional<KeyPool::Lease> KeyPool::take(std::string_view model, const KeySet& tried, Instant now) {
  const std::lock_guard lock(mutex_);
  KeySet usable;
  KeySet fresh;  // those that have something left, as far as is known
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (tried.test(i) || usable_from(keys_[i], model, now) > now) {
      continue;
    }
    usable.set(i);
    const Limits* limits = limits_of(keys_[i], model);
    if (limits == nullptr || limits->spent_until <= now) {
      fresh.set(i);
    }
  }
  if (usable.none()) {
    return std::nullopt;
  }
  const std::size_t chosen = choose(fresh.any() ? fresh : usable);
  return lease(chosen, keys_[chosen].breaker.admit(breaker_, now));
}

std::optional<KeyPool::Lease> KeyPool::take_anyway(std::string_view model, const KeySet& tried, Instant now) {
  const std::lock_guard lock(mutex_);
  std::optional<std::size_t> best;
  Instant best_from = platform::never;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const Key& key = keys_[i];
    if (tried.test(i) || key.value->empty() || key.breaker.opened_by_hand(now)) {
      continue;
    }
    Instant from = key.breaker.open_until();
    if (const Limits* limits = limits_of(key, model)) {
      from = std::max(from, limits->resting_until);
    }
    if (!best || from < best_from) {
      best = i;
      best_from = from;
    }
  }
  return best ? std::optional(lease(*best, keys_[*best].breaker.admit_early(breaker_, now))) : std::nullopt;
}

bool KeyPool::serves(const Lease& lease, std::string_view model, Instant now) const {
  const std::lock_guard lock(mutex_);
  const Key& key = keys_[lease.index()];
  if (lease.value_ != key.value) {
    return false;
  }
  const bool tries_it = lease.permit_ && lease.permit_->trial && lease.permit_->period == key.breaker.period();
  return tries_it || usable_from(key, model, now) <= now;
}

std::optional<Instant> KeyPool::closed_until(std::string_view model, Instant now) const {
  const std::lock_guard lock(mutex_);
  Instant first = platform::never;
  for (const Key& key : keys_) {
    first = std::min(first, usable_from(key, model, now));
  }
  return first <= now ? std::nullopt : std::optional(first);
}

bool KeyPool::is_shut_by_hand(Instant now) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(keys_, [now](const Key& key) { return key.breaker.opened_by_hand(now); });
}

bool KeyPool::report(Lease& lease, std::string_view model, std::optional<Cause> cause, const RateLimits& limits,
                     Instant now) {
  WEIR_ASSERT(lease.pool() == this, "a key of another provider");
  const std::lock_guard lock(mutex_);
  Key& key = keys_[lease.index()];
  if (lease.value_ != key.value) {
    return false;  // it was renewed meanwhile: what the old value did says nothing
  }
  const Outcome outcome = outcome_of(cause, limits);
  if (cause && llm::is_keys_fault(*cause)) {
    ++key.failures;
    key.last_error = cause;
    if (*cause != Cause::credential && limits.retry_after) {
      Limits& known = limits_for(key, model, now);
      known.resting_until = std::max(known.resting_until, now + std::min<Duration>(*limits.retry_after, rest_max));
    }
  } else if (outcome == Outcome::success) {
    key.last_error.reset();
  }
  const bool opened = end_permit(lease, outcome, now);
  for (const auto& [left, shown] :
       {std::pair{&limits.requests, &key.requests_left}, {&limits.tokens, &key.tokens_left}}) {
    if (!left->remaining) {
      continue;
    }
    *shown = left->remaining;
    if (*left->remaining == 0 && left->reset) {
      Limits& known = limits_for(key, model, now);
      known.spent_until = std::max(known.spent_until, now + std::min<Duration>(*left->reset, rest_max));
    }
  }
  return opened;
}

void KeyPool::renew(std::size_t index, Secret value) {
  auto next = std::make_shared<const Secret>(std::move(value));
  const std::lock_guard lock(mutex_);
  Key& key = keys_[index];
  if (*key.value == *next) {
    return;
  }
  key.before = std::exchange(key.value, std::move(next));
  key.trips_in_row = 0;
  key.last_error.reset();
  key.limits.clear();
  key.breaker.forgive();
}

std::optional<std::size_t> KeyPool::find(std::string_view label) const {
  const auto found = std::ranges::find(keys_, label, &Key::label);
  return found == keys_.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - keys_.begin()));
}

void KeyPool::open_by_hand(std::size_t index, Instant until) {
  const std::lock_guard lock(mutex_);
  keys_[index].breaker.open_by_hand(until);
}

void KeyPool::close_by_hand(std::size_t index) {
  const std::lock_guard lock(mutex_);
  Key& key = keys_[index];
  key.breaker.close_by_hand();
  key.trips_in_row = 0;
  key.last_error.reset();
  key.limits.clear();
}

void KeyPool::set_breaker(const routing::BreakerOptions& options) {
  const std::lock_guard lock(mutex_);
  breaker_ = options;
  // Its windows are made for many calls; a key's own time grows with each refusal in a row in any case.
  breaker_.adaptive = false;
}

void KeyPool::adopt(const KeyPool& before) {
  const std::scoped_lock lock(mutex_, before.mutex_);
  for (Key& key : keys_) {
    const auto same = std::ranges::find(before.keys_, key.label, &Key::label);
    if (same == before.keys_.end()) {
      continue;
    }
    if (*same->value == *key.value) {
      key.calls = same->calls;
      key.failures = same->failures;
      key.last_error = same->last_error;
      key.breaker = same->breaker;
      key.breaker.forget_calls();
      key.trips_in_row = same->trips_in_row;
      key.limits = same->limits;
      key.requests_left = same->requests_left;
      key.tokens_left = same->tokens_left;
    } else {
      key.breaker = same->breaker;
      key.breaker.forgive();
    }
  }
}

std::vector<KeyPool::State> KeyPool::states(Instant now) const {
  std::vector<State> states;
  states.reserve(keys_.size());
  const std::lock_guard lock(mutex_);
  for (const Key& key : keys_) {
    State& state = states.emplace_back(State{.label = key.label,
                                             .in_flight = key.in_flight,
                                             .calls = key.calls,
                                             .failures = key.failures,
                                             .last_error = key.last_error,
                                             .breaker = key.breaker.state(now),
                                             .by_hand = key.breaker.opened_by_hand(now),
                                             .failures_in_a_row = key.breaker.failures_in_a_row(),
                                             .trips = key.breaker.trips(),
                                             .out_until = std::nullopt,
                                             .resting = {},
                                             .requests_left = key.requests_left,
                                             .tokens_left = key.tokens_left});
    if (state.breaker != routing::BreakerState::closed) {
      state.out_until = key.breaker.open_until();
    }
    for (const Limits& limits : key.limits) {
      if (limits.resting_until > now) {
        state.resting.emplace_back(limits.model, limits.resting_until);
      }
    }
  }
  return states;
}

void KeyPool::conceal(std::string& words) const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    std::shared_ptr<const Secret> value;
    std::shared_ptr<const Secret> before;
    {
      const std::lock_guard lock(mutex_);
      value = keys_[i].value;
      before = keys_[i].before;
    }
    replace_all(words, value->reveal());
    if (before != nullptr) {
      replace_all(words, before->reveal());
    }
  }
}

}  // namespace weir::providers
