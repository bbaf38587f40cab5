#include "limits/limiter.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <functional>
#include <iterator>
#include <utility>

#include "base/assert.hpp"

namespace weir::limits {

using platform::Duration;
using platform::Instant;

std::size_t Limiter::Hash::operator()(const KeyView& key) const {
  return std::hash<std::string_view>{}(key.id) * 31 + static_cast<std::size_t>(key.kind);
}

/// The locks of the shards of one decision, taken in the order of the shards: two decisions never wait for each other.
class Limiter::Locks {
 public:
  Locks(std::array<Shard, shard_count>& shards, std::uint32_t which) : shards_(shards), which_(which) {
    for (std::uint32_t left = which_; left != 0; left &= left - 1) {
      shards_[static_cast<std::size_t>(std::countr_zero(left))].mutex.lock();
    }
  }
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;
  ~Locks() {
    for (std::uint32_t left = which_; left != 0; left &= left - 1) {
      shards_[static_cast<std::size_t>(std::countr_zero(left))].mutex.unlock();
    }
  }

 private:
  std::array<Shard, shard_count>& shards_;
  std::uint32_t which_;
};

/// One scope of a decision.
struct Limiter::Wanted {
  const Scope* scope;
  Shard* shard;
  State* state;

  [[nodiscard]] KeyView key() const { return {scope->kind, scope->id}; }
  [[nodiscard]] const LimitSet& limits() const { return *scope->limits; }
};

/// The memory that was made for it outside of the locks.
struct Limiter::Spare {
  States::node_type made;  // empty unless the scope was unknown
  std::vector<Counted> windows;
  std::vector<SlidingWindow::Memory> memory;  // for the windows of the limits, in their order
};

/// Unpins the scopes of a decision that did not come to its end.
class Limiter::Pins {
 public:
  explicit Pins(std::span<Wanted> wanted) : wanted_(wanted) {}
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;
  ~Pins() {
    for (const Wanted& one : wanted_) {
      if (one.state != nullptr) {
        const std::scoped_lock lock(one.shard->mutex);
        --one.state->tickets;
      }
    }
  }

 private:
  std::span<Wanted> wanted_;
};

namespace {

template <class Windows>
auto* find_window(Windows& windows, const WindowLimit& limit) {
  const auto found = std::ranges::find_if(windows, [&](const auto& counted) {
    return counted.unit == limit.unit && counted.window.length() == limit.window;
  });
  return found == windows.end() ? nullptr : &found->window;
}

}  // namespace

std::expected<Limiter::Ticket, Refusal> Limiter::take(std::span<const Scope> scopes, Ask ask, Instant now, Also* also) {
  std::array<Wanted, scopes_per_call_max> wanted;  // `count` of them
  std::size_t count = 0;
  std::uint32_t which = 0;
  for (const Scope& scope : scopes) {
    if (scope.limits == nullptr || scope.limits->empty()) {
      continue;
    }
    WEIR_ASSERT(count < scopes_per_call_max, "a call belongs to few scopes");
    const std::size_t shard = Hash{}(KeyView{scope.kind, scope.id}) / 7 % shard_count;
    wanted[count++] = {.scope = &scope, .shard = &shards_[shard], .state = nullptr};
    which |= 1U << shard;
  }
  Ticket ticket;
  if (count == 0) {
    if (also != nullptr && !also->take()) {
      return std::unexpected(Refusal{.elsewhere = true});
    }
    return ticket;
  }
  const std::span<Wanted> all(wanted.data(), count);
  const auto amount_of = [&](const WindowLimit& limit) {
    return limit.unit == Unit::requests ? ask.requests : ask.tokens;
  };
  const Pins pins(all);
  std::vector<States::node_type> dropped;  // destroyed when the locks are free again
  std::vector<Spare> spares;               // of all scopes, once one of them wants memory

  for (;;) {
    bool memory_wanted = false;
    {
      const Locks locks(shards_, which);
      for (std::size_t number = 0; number < count; ++number) {
        Wanted& one = wanted[number];
        Spare* const spare = spares.empty() ? nullptr : &spares[number];
        if (one.state == nullptr) {
          const auto found = one.shard->states.find(one.key());
          if (found != one.shard->states.end()) {
            one.state = &found->second;
          } else if (spare == nullptr || spare->made.empty()) {
            memory_wanted = true;
            continue;
          } else {
            drop_idle(*one.shard, now, dropped);
            const bool full = one.shard->states.size() > options_.scopes_max / shard_count;
            one.state = full ? &one.shard->overflow[static_cast<std::size_t>(one.scope->kind)]
                             : &one.shard->states.insert(std::move(spare->made)).position->second;
          }
          ++one.state->tickets;  // so that it stays while memory is made
        }
        for (std::size_t i = 0; i < one.limits().windows.size(); ++i) {
          const WindowLimit& limit = one.limits().windows[i];
          SlidingWindow* window = find_window(one.state->windows, limit);
          if (window == nullptr) {
            std::vector<Counted>& windows = one.state->windows;
            if (windows.size() == windows.capacity() && spare != nullptr &&
                spare->windows.capacity() > windows.size()) {
              // The larger list that was made for it takes over.
              std::ranges::move(windows, std::back_inserter(spare->windows));
              std::swap(spare->windows, windows);
            }
            if (windows.size() == windows.capacity()) {
              memory_wanted = true;
              continue;
            }
            window = &windows.emplace_back(limit.unit, SlidingWindow(limit.window)).window;
          }
          window->forget(now);
          if (spare != nullptr && i < spare->memory.size() && !spare->memory[i].empty()) {
            window->use(spare->memory[i]);
          }
          memory_wanted = memory_wanted || window->room_wanted() != 0;
        }
      }
      if (!memory_wanted) {
        std::optional<Refusal> refusal;
        const auto refuse = [&](Refusal next) {
          // Never is longer than any wait.
          if (!refusal || !next.retry_after || (refusal->retry_after && *next.retry_after > *refusal->retry_after)) {
            refusal = next;
          }
        };
        for (const Wanted& one : all) {
          if (one.limits().in_flight > 0 && ask.in_flight > 0 &&
              one.state->in_flight + ask.in_flight > one.limits().in_flight) {
            refuse({.scope = one.scope->kind,
                    .window = std::nullopt,
                    .in_flight_limit = one.limits().in_flight,
                    .retry_after = std::chrono::seconds(1)});
          }
          for (const WindowLimit& limit : one.limits().windows) {
            const auto wait = find_window(one.state->windows, limit)->wait_for(now, amount_of(limit), limit.amount);
            if (amount_of(limit) > 0 && (!wait || *wait > Duration{})) {
              refuse({.scope = one.scope->kind, .window = limit, .retry_after = wait});
            }
          }
        }
        if (refusal) {
          return std::unexpected(*refusal);
        }
        if (also != nullptr && !also->take()) {
          return std::unexpected(Refusal{.elsewhere = true});
        }
        Instant at = now;  // another core's clock may have been read a moment later
        for (const Wanted& one : all) {
          for (const WindowLimit& limit : one.limits().windows) {
            at = std::max(at, find_window(one.state->windows, limit)->latest());
          }
        }
        for (Wanted& one : all) {
          one.state->in_flight += ask.in_flight;
          for (const WindowLimit& limit : one.limits().windows) {
            SlidingWindow& window = *find_window(one.state->windows, limit);
            if (amount_of(limit) > 0) {
              window.take(at, amount_of(limit), limit.amount);
            }
            std::optional<Standing>& standing = ticket.standings_[static_cast<std::size_t>(limit.unit)];
            const std::int64_t remaining = std::max(limit.amount - window.used(), std::int64_t{0});
            if (!standing || remaining < standing->remaining) {
              standing = {.limit = limit.amount, .remaining = remaining, .reset = window.until_empty(now)};
            }
          }
          ticket.held_[ticket.count_++] = {one.shard, std::exchange(one.state, nullptr), one.scope->limits};
        }
        ticket.taken_at_ = at;
        ticket.requests_ = ask.requests;
        ticket.tokens_ = ask.tokens;
        ticket.in_flight_ = ask.in_flight;
        return ticket;
      }
    }
    // Memory is made outside of the locks, and the decision begins anew.
    dropped.clear();
    dropped.reserve(8);
    spares.resize(count);
    for (std::size_t number = 0; number < count; ++number) {
      const Wanted& one = wanted[number];
      Spare& spare = spares[number];
      if (one.state == nullptr) {
        States aside;
        aside.emplace(Key{one.scope->kind, std::string(one.scope->id)}, State{});
        spare.made = aside.extract(aside.begin());
        for (const WindowLimit& limit : one.limits().windows) {
          spare.made.mapped().windows.emplace_back(limit.unit, SlidingWindow(limit.window));
        }
      } else {
        std::size_t windows = 0;
        {
          const std::scoped_lock lock(one.shard->mutex);
          windows = one.state->windows.size();
        }
        spare.windows.clear();
        spare.windows.reserve(windows + one.limits().windows.size());
      }
      spare.memory.resize(one.limits().windows.size());
      for (std::size_t i = 0; i < spare.memory.size(); ++i) {
        std::size_t size = 4;
        if (one.state != nullptr) {
          const std::scoped_lock lock(one.shard->mutex);
          const SlidingWindow* window = find_window(one.state->windows, one.limits().windows[i]);
          size = window == nullptr ? size : window->room_wanted();
        }
        spare.memory[i].clear();
        spare.memory[i].resize(size);
      }
    }
  }
}

bool Limiter::is_idle(State& state, Instant now) {
  return state.tickets == 0 && std::ranges::all_of(state.windows, [&](Counted& counted) {
           counted.window.forget(now);
           return counted.window.empty();
         });
}

/// Looks at a few scopes and takes those out that nobody needs any more. With each new scope two old ones are looked
/// at, so that idle ones do not pile up.
void Limiter::drop_idle(Shard& shard, Instant now, std::vector<States::node_type>& dropped) const {
  constexpr std::size_t buckets_looked_at = 4;
  for (std::size_t i = 0; i < buckets_looked_at && !shard.states.empty() && dropped.size() < dropped.capacity(); ++i) {
    shard.next_bucket = (shard.next_bucket + 1) % shard.states.bucket_count();
    for (auto at = shard.states.begin(shard.next_bucket); at != shard.states.end(shard.next_bucket); ++at) {
      if (is_idle(at->second, now)) {
        dropped.push_back(shard.states.extract(shard.states.find(KeyView{at->first.kind, at->first.id})));
        break;
      }
    }
  }
}

std::size_t Limiter::scopes() const {
  std::size_t sum = 0;
  for (Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    sum += shard.states.size();
  }
  return sum;
}

std::int64_t Limiter::in_flight() const {
  std::int64_t sum = 0;
  for (Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    for (const State& state : shard.overflow) {
      sum += state.in_flight;
    }
    for (const auto& [key, state] : shard.states) {
      sum += state.in_flight;
    }
  }
  return sum;
}

Limiter::Ticket& Limiter::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    release();
    std::copy_n(other.held_.begin(), other.count_, held_.begin());
    count_ = std::exchange(other.count_, 0);
    requests_ = other.requests_;
    tokens_ = other.tokens_;
    in_flight_ = other.in_flight_;
    taken_at_ = other.taken_at_;
    standings_ = other.standings_;
  }
  return *this;
}

void Limiter::Ticket::release() {
  for (std::size_t i = 0; i < count_; ++i) {
    const std::scoped_lock lock(held_[i].shard->mutex);
    held_[i].state->in_flight -= in_flight_;
    --held_[i].state->tickets;
  }
  count_ = 0;
}

void Limiter::Ticket::give_back() {
  for (std::size_t i = 0; i < count_; ++i) {
    const std::scoped_lock lock(held_[i].shard->mutex);
    for (const WindowLimit& limit : held_[i].limits->windows) {
      if (SlidingWindow* window = find_window(held_[i].state->windows, limit)) {
        window->give_back(taken_at_, limit.unit == Unit::requests ? requests_ : tokens_);
      }
    }
  }
  release();
}

void Limiter::Ticket::settle_tokens(std::int64_t tokens, Instant now) {
  const std::int64_t more = tokens - tokens_;
  if (more == 0) {
    return;
  }
  for (std::size_t i = 0; i < count_; ++i) {
    // Made outside of the lock; at most a few limits count tokens.
    std::vector<SlidingWindow::Memory> memory;
    for (const WindowLimit& limit : held_[i].limits->windows) {
      if (limit.unit == Unit::tokens && more > 0) {
        const std::scoped_lock lock(held_[i].shard->mutex);
        const SlidingWindow* window = find_window(held_[i].state->windows, limit);
        memory.emplace_back(window == nullptr ? 0 : window->room_wanted() + 4);
      }
    }
    const std::scoped_lock lock(held_[i].shard->mutex);
    std::size_t next = 0;
    for (const WindowLimit& limit : held_[i].limits->windows) {
      SlidingWindow* const window = find_window(held_[i].state->windows, limit);
      if (limit.unit != Unit::tokens || window == nullptr) {
        continue;
      }
      if (more < 0) {
        window->give_back(taken_at_, -more);
        continue;
      }
      window->use(memory[next++]);
      window->forget(now);
      if (window->room_wanted() == 0) {
        window->take(std::max(now, window->latest()), more, limit.amount);
      }
    }
  }
  tokens_ = tokens;
}

bool is_rate_limit_header(std::string_view name) {
  constexpr std::string_view prefix = "x-ratelimit-";
  return name.size() > prefix.size() && std::ranges::equal(name.substr(0, prefix.size()), prefix, {}, [](char c) {
           return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
         });
}

namespace {

char* write_reset(char* at, Duration duration) {
  constexpr std::ptrdiff_t digits_max = 20;
  const auto number = [&](std::int64_t value, char unit) {
    at = std::to_chars(at, at + digits_max, value).ptr;
    *at++ = unit;
  };
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(duration, Duration{})).count();
  if (milliseconds < 1000) {
    number(milliseconds, 'm');
    *at++ = 's';
    return at;
  }
  const std::int64_t hours = milliseconds / 3'600'000;
  if (hours > 0) {
    number(hours, 'h');
  }
  if (milliseconds >= 60'000) {
    number(milliseconds / 60'000 % 60, 'm');
  }
  const std::int64_t rest = milliseconds % 60'000;
  number(rest / 1000, '.');
  std::int64_t fraction = rest % 1000;
  for (std::int64_t unit = 100; fraction > 0; unit /= 10) {
    *at++ = static_cast<char>('0' + fraction / unit);
    fraction %= unit;
  }
  at -= at[-1] == '.' ? 1 : 0;
  *at++ = 's';
  return at;
}

}  // namespace

std::string to_reset_text(Duration duration) {
  std::array<char, 32> text;
  return {text.data(), write_reset(text.data(), duration)};
}

void RateLimitHeaders::tell(const Limiter::Ticket& ticket) {
  for (const Unit unit : {Unit::requests, Unit::tokens}) {
    if (const auto& standing = ticket.standing(unit)) {
      standings_[static_cast<std::size_t>(unit)] = standing;
    }
  }
}

void RateLimitHeaders::tell(const Refusal& refusal) {
  if (refusal.window) {
    standings_[static_cast<std::size_t>(refusal.window->unit)] = {
        .limit = refusal.window->amount, .remaining = 0, .reset = refusal.retry_after.value_or(refusal.window->window)};
  }
}

void RateLimitHeaders::append_to(Fields& fields) {
  static constexpr std::array<std::string_view, 6> names = {
      "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
      "x-ratelimit-limit-tokens",   "x-ratelimit-remaining-tokens",   "x-ratelimit-reset-tokens"};
  const auto add = [&](std::size_t which, auto&& write) {
    std::array<char, 24>& text = texts_[which];
    const char* const end = write(text.data(), text.data() + text.size());
    fields.emplace_back(names[which], std::string_view(text.data(), end));
  };
  for (std::size_t unit = 0; unit < standings_.size(); ++unit) {
    if (const auto& standing = standings_[unit]) {
      add(3 * unit, [&](char* at, char* end) { return std::to_chars(at, end, standing->limit).ptr; });
      add(3 * unit + 1, [&](char* at, char* end) { return std::to_chars(at, end, standing->remaining).ptr; });
      add(3 * unit + 2, [&](char* at, char* /*end*/) { return write_reset(at, standing->reset); });
    }
  }
}

}  // namespace weir::limits
