#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.hpp"
#include "llm/cause.hpp"
#include "platform/clock.hpp"
#include "providers/rate_limits.hpp"
#include "routing/circuit_breaker.hpp"

namespace weir::providers {

/// Which of several usable keys a call takes.
enum class KeyChoice : std::uint8_t {
  round_robin,
  priority,    // the lowest number; equals take turns
  least_used,  // the fewest calls in flight; of equals the one that rests longest
  weighted,    // smooth: 3:1 is a a b a, not a a a b
};

inline constexpr std::size_t keys_max = 256;  // of one provider
using KeySet = std::bitset<keys_max>;

/// Our keys at one provider, and how they fare.
///
/// One for all cores, so that what one learns holds for all; it outlives reloads that leave the provider's address and
/// keys alone. Thread-safe: each function holds the lock for well under a microsecond and does no I/O under it.
///
/// Each key has a circuit breaker, which counts only what is the key's own fault. A key that is refused, or whose money
/// is spent, is out at once: nobody needs to hear that twice. Each time in a row doubles how long. One that asked too
/// often rests as long as the provider said, for that model alone, since limits are counted by model; where he said
/// nothing, that many refusals in a row open it as they would open a target's. Where he says when to come back with a
/// key whose money is spent, it is not asked before that either.
class KeyPool : public std::enable_shared_from_this<KeyPool> {
 public:
  struct KeyOptions {
    std::string label;  // what logs and metrics call it
    Secret value;       // empty: not known yet (a command has not answered)
    int weight = 1;     // > 0
    int priority = 0;   // lower first
    friend bool operator==(const KeyOptions&, const KeyOptions&) = default;
  };

  /// At least one key, at most keys_max. `breaker`: of each key; never adaptive.
  KeyPool(std::string provider, std::vector<KeyOptions> keys, KeyChoice choice,
          const routing::BreakerOptions& breaker = {});
  KeyPool(const KeyPool&) = delete;
  KeyPool& operator=(const KeyPool&) = delete;
  ~KeyPool() = default;

  /// One key for one upstream call. Its pool lives at least as long.
  class Lease {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(index_, other.index_);
      std::swap(value_, other.value_);
      std::swap(permit_, other.permit_);
      return *this;
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    [[nodiscard]] const KeyPool* pool() const { return pool_.get(); }
    [[nodiscard]] std::size_t index() const { return index_; }
    [[nodiscard]] const std::string& label() const { return pool_->keys_[index_].label; }
    [[nodiscard]] const Secret& value() const { return *value_; }

   private:
    friend class KeyPool;
    using Permit = std::optional<routing::CircuitBreaker::Permit>;
    Lease(std::shared_ptr<KeyPool> pool, std::size_t index, std::shared_ptr<const Secret> value, Permit permit)
        : pool_(std::move(pool)), index_(index), value_(std::move(value)), permit_(permit) {}
    std::shared_ptr<KeyPool> pool_;
    std::size_t index_;
    std::shared_ptr<const Secret> value_;
    Permit permit_;  // of the key's breaker; nothing: it is asked for want of a better one, and counts for nothing
  };

  /// A usable key that is not in `tried`; nothing if there is none.
  std::optional<Lease> take(std::string_view model, const KeySet& tried, platform::Instant now);
  /// The key that comes back first, though it is not usable: for a call that has nobody else to ask. Never one that an
  /// operator took out.
  std::optional<Lease> take_anyway(std::string_view model, const KeySet& tried, platform::Instant now);
  /// Whether a key that was taken may be sent again: it was not refused to another call since, nor renewed.
  [[nodiscard]] bool serves(const Lease& lease, std::string_view model, platform::Instant now) const;
  /// When the first key is usable again; nothing if one is now.
  [[nodiscard]] std::optional<platform::Instant> closed_until(std::string_view model, platform::Instant now) const;

  /// Every key is out because an operator said so: nobody is to be asked.
  [[nodiscard]] bool is_shut_by_hand(platform::Instant now) const;

  /// How the call ended. `cause`: nothing, if it succeeded or failed for reasons that are not the key's. True: this
  /// opened the key's breaker.
  bool report(Lease& lease, std::string_view model, std::optional<llm::Cause> cause, const RateLimits& limits,
              platform::Instant now);

  /// A new value, from a command that ran again: the key is as good as new.
  void renew(std::size_t index, Secret value);
  [[nodiscard]] std::optional<std::size_t> find(std::string_view label) const;

  /// Until then; `never`: until somebody closes it.
  void open_by_hand(std::size_t index, platform::Instant until = platform::never);
  /// As if nothing had ever failed.
  void close_by_hand(std::size_t index);

  /// From now on.
  void set_breaker(const routing::BreakerOptions& options);
  /// What `before` learned of the keys that this pool has too: the same label and value. What an operator took out
  /// stays out under its label, whatever its value.
  void adopt(const KeyPool& before);

  /// Of one key, for /health/providers and the log. Never its value.
  struct State {
    std::string label;
    int in_flight = 0;
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;            // calls that failed through its fault
    std::optional<llm::Cause> last_error;  // until it succeeds again
    routing::BreakerState breaker = routing::BreakerState::closed;
    bool by_hand = false;
    int failures_in_a_row = 0;
    std::uint64_t trips = 0;
    std::optional<platform::Instant> out_until;                      // unless it is closed: of its breaker
    std::vector<std::pair<std::string, platform::Instant>> resting;  // models, and until when
    std::optional<std::int64_t> requests_left;                       // as the provider said last
    std::optional<std::int64_t> tokens_left;
  };
  [[nodiscard]] std::vector<State> states(platform::Instant now) const;

  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] const std::string& provider() const { return provider_; }
  [[nodiscard]] const std::string& label(std::size_t index) const { return keys_[index].label; }
  /// Takes every key out of `words`.
  void conceal(std::string& words) const;

 private:
  /// What is known of one key at one model.
  struct Limits {
    std::string model;
    platform::Instant resting_until;  // the provider said so
    platform::Instant spent_until;    // nothing is left, by its headers: others come first
  };
  struct Key {
    std::string label;
    int weight;
    int priority;
    std::shared_ptr<const Secret> value;
    std::shared_ptr<const Secret> before;  // the value before the last renewal, which calls may still use
    int in_flight = 0;
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t last_taken = 0;  // a serial number
    std::optional<llm::Cause> last_error;
    routing::CircuitBreaker breaker{};
    int trips_in_row = 0;        // since it was closed last
    std::int64_t balance = 0;    // of the smooth weighting
    std::vector<Limits> limits;  // few, and bounded
    std::optional<std::int64_t> requests_left;
    std::optional<std::int64_t> tokens_left;
  };

  [[nodiscard]] static const Limits* limits_of(const Key& key, std::string_view model);
  [[nodiscard]] static Limits& limits_for(Key& key, std::string_view model, platform::Instant now);
  /// When this key can be taken for this model; `now` or before: at once.
  [[nodiscard]] platform::Instant usable_from(const Key& key, std::string_view model, platform::Instant now) const;
  /// Those of its breaker, with the time for which it would be out now.
  [[nodiscard]] routing::BreakerOptions breaker_of(const Key& key) const;
  bool end_permit(Lease& lease, routing::CircuitBreaker::Outcome outcome, platform::Instant now);
  [[nodiscard]] std::size_t choose(const KeySet& among);
  [[nodiscard]] Lease lease(std::size_t index, Lease::Permit permit);

  const std::string provider_;
  const KeyChoice choice_;
  mutable std::mutex mutex_;
  routing::BreakerOptions breaker_;
  std::vector<Key> keys_;  // labels, weights and priorities never change
  std::uint64_t taken_ = 0;
};

}  // namespace weir::providers
