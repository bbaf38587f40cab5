#include "platform/sim/simulated_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/assert.hpp"

namespace weir::platform {

namespace {

// Both clocks start at moments that no code may mistake for "unset".
constexpr Instant first_instant{std::chrono::hours(1)};
constexpr WallTime first_wall_time{std::chrono::seconds(1'800'000'000)};

}  // namespace

SimulatedWorld::SimulatedWorld(std::uint64_t seed, WorldFaults faults)
    : faults_(faults), choices_(seed), now_(first_instant), network_(*this) {}

SimulatedWorld::~SimulatedWorld() {
  // Events hold connections, which unlink themselves from the network and the loops.
  events_.clear();
}

SimulatedLoop& SimulatedWorld::add_loop(std::string address) {
  loops_.push_back(std::make_unique<SimulatedLoop>(*this, std::move(address), loops_.size(), choices_.next()));
  return *loops_.back();
}

WallTime SimulatedWorld::wall_now() const {
  return first_wall_time + std::chrono::duration_cast<std::chrono::microseconds>(now_ - first_instant) + wall_offset_;
}

void SimulatedWorld::jump_wall_clock(std::chrono::microseconds by) {
  wall_offset_ += by;
  fault_counts_.count(Fault::clock_jump);
  trace("clock jump", static_cast<std::uint64_t>(by.count()));
}

Duration SimulatedWorld::pick(DurationRange range) {
  if (range.max <= range.min) {
    return range.min;
  }
  return range.min + Duration(static_cast<Duration::rep>(
                         choices_.below(static_cast<std::uint64_t>((range.max - range.min).count()) + 1)));
}

std::size_t SimulatedWorld::pick(ByteRange range) {
  return range.max <= range.min ? range.min : range.min + choices_.below(range.max - range.min + 1);
}

bool SimulatedWorld::later(const Event& a, const Event& b) {
  return std::tie(a.at, a.tie, a.sequence) > std::tie(b.at, b.tie, b.sequence);
}

void SimulatedWorld::schedule(Instant at, SimulatedLoop& loop, std::move_only_function<void()> work) {
  events_.push_back({.at = std::max(at, now_),
                     .tie = faults_.reorder ? choices_.next() : 0,
                     .sequence = ++sequence_,
                     .loop = &loop,
                     .work = std::move(work)});
  std::ranges::push_heap(events_, later);
}

SimulatedLoop* SimulatedWorld::next_ringing() const {
  SimulatedLoop* earliest = nullptr;
  for (const auto& loop : loops_) {
    if (loop->next_timer() != never && (earliest == nullptr || loop->next_timer() < earliest->next_timer())) {
      earliest = loop.get();
    }
  }
  return earliest;
}

bool SimulatedWorld::step(Instant limit) {
  SimulatedLoop* ringing = next_ringing();
  if (ringing == nullptr && events_.empty()) {
    return false;
  }
  const Instant timer_at = ringing == nullptr ? never : std::max(ringing->next_timer(), now_);
  const Instant event_at = events_.empty() ? never : events_.front().at;
  if (std::min(timer_at, event_at) > limit) {
    now_ = std::max(now_, limit);
    out_of_time_ = true;
    return false;
  }
  if (chance(faults_.clock_jump)) {
    const auto most = std::chrono::duration_cast<std::chrono::microseconds>(faults_.clock_jump_max).count();
    const auto by = static_cast<std::int64_t>(choices_.below(2 * static_cast<std::uint64_t>(most))) - most;
    jump_wall_clock(std::chrono::microseconds(by));
  }
  ++steps_;
  const bool timer_first = timer_at < event_at || (timer_at == event_at && faults_.reorder && choices_.below(2) == 0);
  if (timer_first) {
    now_ = timer_at;
    trace("timers of", ringing->number());
    ringing->fire_timers();
    return true;
  }
  std::ranges::pop_heap(events_, later);
  Event event = std::move(events_.back());
  events_.pop_back();
  now_ = event.at;
  event.loop->enter(std::move(event.work));
  return true;
}

SimulatedWorld::Stopped SimulatedWorld::run(Instant limit, std::uint64_t steps_max) {
  return run_until([] { return false; }, limit, steps_max);
}

SimulatedWorld::Stopped SimulatedWorld::run_until(const std::function<bool()>& done, Instant limit,
                                                  std::uint64_t steps_max) {
  out_of_time_ = false;
  for (std::uint64_t taken = 0; taken < steps_max; ++taken) {
    if (done()) {
      return Stopped::satisfied;
    }
    if (!step(limit)) {
      return out_of_time_ ? Stopped::out_of_time : Stopped::idle;
    }
  }
  return done() ? Stopped::satisfied : Stopped::out_of_steps;
}

void SimulatedWorld::trace(std::string_view what, std::uint64_t first, std::uint64_t second) {
  // FNV-1a over what happened, when, and to whom.
  auto mix = [this](std::uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) {
      trace_hash_ = (trace_hash_ ^ ((word >> shift) & 0xffU)) * 0x100000001b3U;
    }
  };
  for (const char letter : what) {
    trace_hash_ = (trace_hash_ ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  }
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  mix(first);
  mix(second);
  if (story_) {
    const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now_ - first_instant);
    story_(fmt::format("{:>12.3f} ms  {} {} {}", static_cast<double>(since.count()) / 1000.0, what, first, second));
  }
}

}  // namespace weir::platform
