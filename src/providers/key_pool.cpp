#include "providers/key_pool.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace weir::providers {

namespace {

using llm::Cause;
using platform::Duration;
using platform::Instant;
using namespace std::chrono_literals;

constexpr std::size_t models_max = 64;  // that are remembered of one key
// A key that was refused is tried again soon, in case the provider was wrong, and then ever more rarely.
constexpr Duration refused_first = 10s;
constexpr Duration spent_first = 1min;
constexpr Duration out_max = 10min;
// Providers tell waits of a day where one call alone exceeds a limit: no reason to leave a key alone for so long.
constexpr Duration rest_max = 10min;

Duration out_for(Cause cause, int times) {
  const Duration first = cause == Cause::credential ? refused_first : spent_first;
  return std::min<Duration>(first * (std::int64_t{1} << std::min(times - 1, 10)), out_max);
}

void replace_all(std::string& words, const std::string& secret) {
  constexpr std::string_view instead = "[secret]";
  for (std::size_t at = secret.empty() ? std::string::npos : words.find(secret); at != std::string::npos;
       at = words.find(secret, at + instead.size())) {
    words.replace(at, secret.size(), instead);
  }
}

}  // namespace

KeyPool::KeyPool(std::string provider, std::vector<KeyOptions> keys, KeyChoice choice)
    : provider_(std::move(provider)), choice_(choice) {
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
  if (probe_) {
    key.probing = false;
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

Instant KeyPool::usable_from(const Key& key, std::string_view model) {
  if (key.value->empty()) {
    return platform::never;
  }
  Instant from = Instant::min();
  if (key.out_until) {
    from = key.probing ? platform::never : *key.out_until;
  }
  if (const Limits* limits = limits_of(key, model)) {
    from = std::max(from, limits->resting_until);
  }
  return from;
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

KeyPool::Lease KeyPool::lease(std::size_t index, Instant now) {
  Key& key = keys_[index];
  const bool probe = key.out_until.has_value() && !key.probing;
  key.probing = key.probing || probe;
  ++key.in_flight;
  ++key.calls;
  key.last_taken = ++taken_;
  static_cast<void>(now);
  return {shared_from_this(), index, key.value, probe};
}

std::optional<KeyPool::Lease> KeyPool::take(std::string_view model, const KeySet& tried, Instant now) {
  const std::lock_guard lock(mutex_);
  KeySet usable;
  KeySet fresh;  // those that have something left, as far as is known
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (tried.test(i) || usable_from(keys_[i], model) > now) {
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
  return lease(choose(fresh.any() ? fresh : usable), now);
}

std::optional<KeyPool::Lease> KeyPool::take_anyway(std::string_view model, const KeySet& tried, Instant now) {
  const std::lock_guard lock(mutex_);
  std::optional<std::size_t> best;
  Instant best_from = platform::never;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const Key& key = keys_[i];
    if (tried.test(i) || key.value->empty()) {
      continue;
    }
    // One that is being tried by another call comes back, if at all, when that call has succeeded.
    Instant from = key.out_until.value_or(Instant::min());
    if (const Limits* limits = limits_of(key, model)) {
      from = std::max(from, limits->resting_until);
    }
    if (!best || from < best_from) {
      best = i;
      best_from = from;
    }
  }
  return best ? std::optional(lease(*best, now)) : std::nullopt;
}

bool KeyPool::serves(const Lease& lease, std::string_view model, Instant now) const {
  const std::lock_guard lock(mutex_);
  const Key& key = keys_[lease.index()];
  return lease.value_ == key.value && (lease.probe_ || usable_from(key, model) <= now);
}

std::optional<Instant> KeyPool::closed_until(std::string_view model, Instant now) const {
  const std::lock_guard lock(mutex_);
  Instant first = platform::never;
  for (const Key& key : keys_) {
    first = std::min(first, usable_from(key, model));
  }
  return first <= now ? std::nullopt : std::optional(first);
}

void KeyPool::report(const Lease& lease, std::string_view model, std::optional<Cause> cause, const RateLimits& limits,
                     Instant now) {
  WEIR_ASSERT(lease.pool() == this, "a key of another provider");
  const std::lock_guard lock(mutex_);
  Key& key = keys_[lease.index()];
  if (lease.value_ != key.value) {
    return;  // it was renewed meanwhile: what the old value did says nothing
  }
  if (!cause || !llm::is_keys_fault(*cause)) {
    // Whatever else went wrong, the key was good enough to be answered; where nobody answered, nothing is known of it.
    const bool answered = !cause || (*cause != Cause::transport && *cause != Cause::slow &&
                                     *cause != Cause::malformed && *cause != Cause::gateway);
    if (answered) {
      key.out_until.reset();
      key.refused_in_row = 0;
      key.last_error.reset();
    }
  } else {
    ++key.failures;
    key.last_error = cause;
    if (*cause == Cause::rate) {
      if (limits.retry_after) {
        Limits& known = limits_for(key, model, now);
        known.resting_until = std::max(known.resting_until, now + std::min<Duration>(*limits.retry_after, rest_max));
      }
      key.out_until.reset();  // it was known
      key.refused_in_row = 0;
    } else {
      key.out_until = now + out_for(*cause, ++key.refused_in_row);
    }
  }
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
}

void KeyPool::renew(std::size_t index, Secret value) {
  auto next = std::make_shared<const Secret>(std::move(value));
  const std::lock_guard lock(mutex_);
  Key& key = keys_[index];
  if (*key.value == *next) {
    return;
  }
  key.before = std::exchange(key.value, std::move(next));
  key.out_until.reset();
  key.refused_in_row = 0;
  key.last_error.reset();
  key.limits.clear();
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
                                             .out_until = key.out_until,
                                             .resting = {},
                                             .requests_left = key.requests_left,
                                             .tokens_left = key.tokens_left});
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
