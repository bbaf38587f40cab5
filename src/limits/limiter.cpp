#include "limits/limiter.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <iterator>
#include <utility>

#include "base/assert.hpp"

namespace weir::limits {

using platform::Duration;
using platform::Instant;

Limiter::KeyView::KeyView(ScopeKind its_kind, std::string_view its_id)
    : kind(its_kind),
      id(its_id),
      hash(std::hash<std::string_view>{}(its_id) * 31 + static_cast<std::size_t>(its_kind)) {}

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

/// The memory that was made for one scope outside of the locks.
struct Limiter::Spare {
  States::node_type made;  // empty unless the scope was unknown
  std::vector<Counted> windows;
  std::vector<SlidingWindow::Memory> memory;  // for the windows of the limits, in their order
};

SlidingWindow* Limiter::State::window(const LimitSet& limits, std::size_t place) {
  const WindowLimit& limit = limits.windows[place];
  const auto counts_it = [&](const Counted& counted) {
    return counted.unit == limit.unit && counted.window.length() == limit.window;
  };
  if (place < windows.size() && counts_it(windows[place])) {
    return &windows[place].window;  // mostly: they were made for this set
  }
  const auto found = std::ranges::find_if(windows, counts_it);
  return found == windows.end() ? nullptr : &found->window;
}

std::expected<Limiter::Ticket, Refusal> Limiter::take(std::span<const Scope> scopes, Ask ask, Instant now, Also* also) {
  std::expected<Ticket, Refusal> taken;
  Ticket& ticket = *taken;
  std::array<KeyView, scopes_per_call_max> keys;
  for (const Scope& scope : scopes) {
    if (scope.limits == nullptr || scope.limits->empty()) {
      continue;
    }
    WEIR_ASSERT(ticket.count_ < scopes_per_call_max, "a call belongs to few scopes");
    const KeyView& key = keys[ticket.count_] = KeyView(scope.kind, scope.id);
    ticket.held_[ticket.count_++] = {
        .shard = &shards_[key.hash / 7 % shard_count], .state = nullptr, .limits = scope.limits, .kind = scope.kind};
  }
  if (const auto refusal = decide(ticket, {keys.data(), ticket.count_}, ask, now, also)) {
    taken = std::unexpected(*refusal);
  }
  return taken;
}

std::optional<Refusal> Limiter::take_tokens(Ticket& ticket, std::int64_t tokens, Instant now, Also* also) {
  return decide(ticket, {}, {.requests = 0, .tokens = tokens, .in_flight = 0}, now, also);
}

std::optional<Refusal> Limiter::decide(Ticket& ticket, Keys keys, Ask ask, Instant now, Also* also) {
  const std::span<Ticket::Held> held = ticket.held();
  std::uint32_t which = 0;
  for (const Ticket::Held& one : held) {
    which |= 1U << (one.shard - shards_.data());
  }
  std::vector<States::node_type> dropped;  // destroyed when the locks are free again
  std::vector<Spare> spares;               // of all scopes, once one of them wants memory
  for (;;) {
    {
      const Locks locks(shards_, which);
      bool is_ready = true;
      for (std::size_t i = 0; i < held.size(); ++i) {
        Spare* const spare = spares.empty() ? nullptr : &spares[i];
        const bool is_found = held[i].state != nullptr || find_state(held[i], keys[i], spare, now, dropped);
        is_ready = is_found && make_ready(held[i], spare, now) && is_ready;
      }
      if (is_ready) {
        return grant(ticket, ask, now, also);
      }
    }
    // Memory is made outside of the locks, and the decision begins anew.
    dropped.clear();
    dropped.reserve(8);
    spares = make_spares(held, keys);
  }
}

/// Under the locks. False: the scope is unknown, and there is no spare for it.
bool Limiter::find_state(Ticket::Held& one, const KeyView& key, Spare* spare, Instant now,
                         std::vector<States::node_type>& dropped) const {
  States& states = one.shard->states;
  if (const auto found = states.find(key); found != states.end()) {
    one.state = &found->second;
  } else if (spare == nullptr || spare->made.empty()) {
    return false;
  } else {
    drop_idle(*one.shard, now, dropped);
    const bool full = states.size() > options_.scopes_max / shard_count;
    one.state = full ? &one.shard->overflow[static_cast<std::size_t>(one.kind)]
                     : &states.insert(std::move(spare->made)).position->second;
  }
  ++one.state->tickets;  // so that it stays
  return true;
}

/// Under the locks: a window for each limit, without what is over, and with room. False: memory is wanted for that.
bool Limiter::make_ready(const Ticket::Held& one, Spare* spare, Instant now) {
  std::vector<Counted>& windows = one.state->windows;
  bool has_room = true;
  for (std::size_t i = 0; i < one.limits->windows.size(); ++i) {
    SlidingWindow* window = one.state->window(*one.limits, i);
    if (window == nullptr) {
      const WindowLimit& limit = one.limits->windows[i];
      if (windows.size() == windows.capacity() && spare != nullptr && spare->windows.capacity() > windows.size()) {
        // The larger list that was made for it takes over.
        std::ranges::move(windows, std::back_inserter(spare->windows));
        std::swap(spare->windows, windows);
      }
      if (windows.size() == windows.capacity()) {
        has_room = false;
        continue;
      }
      window = &windows.emplace_back(limit.unit, SlidingWindow(limit.window)).window;
    }
    window->forget(now);
    if (spare != nullptr && i < spare->memory.size() && !spare->memory[i].empty()) {
      window->use(spare->memory[i]);
    }
    has_room = has_room && window->room_wanted() == 0;
  }
  return has_room;
}

/// Under the locks, where all is ready: takes it everywhere, or nowhere.
std::optional<Refusal> Limiter::grant(Ticket& ticket, Ask ask, Instant now, Also* also) {
  const auto amount_of = [&](const WindowLimit& limit) {
    return limit.unit == Unit::requests ? ask.requests : ask.tokens;
  };
  std::optional<Refusal> refusal;
  const auto refuse = [&](const Refusal& next) {
    // Never is longer than any wait.
    if (!refusal || !next.retry_after || (refusal->retry_after && *next.retry_after > *refusal->retry_after)) {
      refusal = next;
    }
  };
  Instant at = now;  // another core's clock may have been read a moment later
  for (const Ticket::Held& one : ticket.held()) {
    const LimitSet& limits = *one.limits;
    if (limits.in_flight > 0 && ask.in_flight > 0 && one.state->in_flight + ask.in_flight > limits.in_flight) {
      refuse({.scope = one.kind,
              .window = std::nullopt,
              .in_flight_limit = limits.in_flight,
              .retry_after = std::chrono::seconds(1)});
    }
    for (std::size_t i = 0; i < limits.windows.size(); ++i) {
      const WindowLimit& limit = limits.windows[i];
      const SlidingWindow& window = *one.state->window(limits, i);
      at = std::max(at, window.latest());
      if (amount_of(limit) > 0) {
        const auto wait = window.wait_for(now, amount_of(limit), limit.amount);
        if (!wait || *wait > Duration{}) {
          refuse({.scope = one.kind, .window = limit, .retry_after = wait});
        }
      }
    }
  }
  if (refusal) {
    return refusal;
  }
  if (also != nullptr && !also->take()) {
    return Refusal{.elsewhere = true};
  }
  ticket.standings_ = {};
  for (const Ticket::Held& one : ticket.held()) {
    one.state->in_flight += ask.in_flight;
    for (std::size_t i = 0; i < one.limits->windows.size(); ++i) {
      const WindowLimit& limit = one.limits->windows[i];
      SlidingWindow& window = *one.state->window(*one.limits, i);
      if (amount_of(limit) > 0) {
        window.take(at, amount_of(limit), limit.amount);
      }
      std::optional<Standing>& standing = ticket.standings_[static_cast<std::size_t>(limit.unit)];
      const std::int64_t remaining = std::max(limit.amount - window.used(), std::int64_t{0});
      if (!standing || remaining < standing->remaining) {
        standing = {.limit = limit.amount, .remaining = remaining, .reset = window.until_empty(now)};
      }
    }
  }
  ticket.in_flight_ += ask.in_flight;
  ticket.taken(Unit::tokens) = {.amount = ask.tokens, .at = at};
  if (ask.requests > 0) {
    ticket.taken(Unit::requests) = {.amount = ask.requests, .at = at};
  }
  return std::nullopt;
}

/// Locks the shards in between: what it sees may be out of date when it is used.
std::vector<Limiter::Spare> Limiter::make_spares(std::span<const Ticket::Held> held, Keys keys) {
  std::vector<Spare> spares(held.size());
  for (std::size_t number = 0; number < held.size(); ++number) {
    const Ticket::Held& one = held[number];
    const std::vector<WindowLimit>& limits = one.limits->windows;
    Spare& spare = spares[number];
    if (one.state == nullptr) {
      States aside;
      aside.emplace(Key{one.kind, std::string(keys[number].id)}, State{});
      spare.made = aside.extract(aside.begin());
      for (const WindowLimit& limit : limits) {
        spare.made.mapped().windows.emplace_back(limit.unit, SlidingWindow(limit.window));
      }
    } else {
      std::size_t windows = 0;
      {
        const std::scoped_lock lock(one.shard->mutex);
        windows = one.state->windows.size();
      }
      spare.windows.reserve(windows + limits.size());
    }
    spare.memory.resize(limits.size());
    for (std::size_t i = 0; i < spare.memory.size(); ++i) {
      std::size_t size = 4;
      if (one.state != nullptr) {
        const std::scoped_lock lock(one.shard->mutex);
        const SlidingWindow* window = one.state->window(*one.limits, i);
        size = window == nullptr ? size : window->room_wanted();
      }
      spare.memory[i].resize(size);
    }
  }
  return spares;
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
    in_flight_ = std::exchange(other.in_flight_, 0);
    taken_ = other.taken_;
    standings_ = other.standings_;
  }
  return *this;
}

void Limiter::Ticket::release() {
  for (const Held& one : held()) {
    if (one.state != nullptr) {
      const std::scoped_lock lock(one.shard->mutex);
      one.state->in_flight -= in_flight_;
      --one.state->tickets;
    }
  }
  count_ = 0;
  in_flight_ = 0;
}

void Limiter::Ticket::give_back() {
  for (const Held& one : held()) {
    const std::scoped_lock lock(one.shard->mutex);
    for (std::size_t i = 0; i < one.limits->windows.size(); ++i) {
      if (SlidingWindow* const window = one.state->window(*one.limits, i)) {
        const Taken& gone = taken(one.limits->windows[i].unit);
        window->give_back(gone.at, gone.amount);
      }
    }
  }
  release();
}

void Limiter::Ticket::settle_tokens(std::int64_t tokens, Instant now) {
  Taken& estimate = taken(Unit::tokens);
  const std::int64_t more = tokens - estimate.amount;
  if (more == 0) {
    return;
  }
  for (const Held& one : held()) {
    const std::vector<WindowLimit>& limits = one.limits->windows;
    // Made outside of the lock; at most a few limits count tokens.
    std::vector<SlidingWindow::Memory> memory;
    for (std::size_t i = 0; more > 0 && i < limits.size(); ++i) {
      if (limits[i].unit == Unit::tokens) {
        const std::scoped_lock lock(one.shard->mutex);
        const SlidingWindow* window = one.state->window(*one.limits, i);
        memory.emplace_back(window == nullptr ? 0 : window->room_wanted() + 4);
      }
    }
    const std::scoped_lock lock(one.shard->mutex);
    std::size_t next = 0;
    for (std::size_t i = 0; i < limits.size(); ++i) {
      SlidingWindow* const window = one.state->window(*one.limits, i);
      if (limits[i].unit != Unit::tokens || window == nullptr) {
        continue;
      }
      if (more < 0) {
        window->give_back(estimate.at, -more);
        continue;
      }
      window->use(memory[next++]);
      window->forget(now);
      if (window->room_wanted() == 0) {
        window->take(std::max(now, window->latest()), more, limits[i].amount);
      }
    }
  }
  estimate.amount = tokens;
}

}  // namespace weir::limits
