#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/random.hpp"
#include "platform/sim/faults.hpp"
#include "platform/sim/simulated_loop.hpp"
#include "platform/sim/simulated_network.hpp"

namespace weir::platform {

/// A world in one thread: time that passes only when nothing is left to do at the present instant, any number of loops,
/// and a network between them. The same seed gives the same run, which trace_hash() proves.
///
/// Life: outlives everything made on its loops (streams, listeners, waits). Not thread-safe, on purpose.
class SimulatedWorld {
 public:
  explicit SimulatedWorld(std::uint64_t seed, WorldFaults faults = {});
  SimulatedWorld(const SimulatedWorld&) = delete;
  SimulatedWorld& operator=(const SimulatedWorld&) = delete;
  ~SimulatedWorld();

  /// One more loop, which lives as long as the world. `address` is what its connections come from.
  SimulatedLoop& add_loop(std::string address);

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] WallTime wall_now() const;
  void jump_wall_clock(std::chrono::microseconds by);

  enum class Stopped : std::uint8_t { satisfied, idle, out_of_time, out_of_steps };
  /// Runs until nothing is left to happen, or until `limit`, or for `steps_max` events.
  Stopped run(Instant limit = never, std::uint64_t steps_max = default_steps_max);
  /// The same, but stops as soon as `done` holds; asked after each event.
  Stopped run_until(const std::function<bool()>& done, Instant limit = never,
                    std::uint64_t steps_max = default_steps_max);

  /// Runs `work` on `loop` at `at` (not before the present instant).
  void schedule(Instant at, SimulatedLoop& loop, std::move_only_function<void()> work);

  [[nodiscard]] SimulatedNetwork& network() { return network_; }
  /// The source of every choice that the world makes.
  [[nodiscard]] Random& choices() { return choices_; }
  [[nodiscard]] bool chance(double probability) { return probability > 0 && choices_.unit() < probability; }
  [[nodiscard]] Duration pick(DurationRange range);
  [[nodiscard]] std::size_t pick(ByteRange range);
  [[nodiscard]] const WorldFaults& faults() const { return faults_; }
  [[nodiscard]] FaultCounts& fault_counts() { return fault_counts_; }

  /// Adds to the fingerprint of the run, and to the story if one is told.
  void trace(std::string_view what, std::uint64_t first = 0, std::uint64_t second = 0);
  /// Adds words to the story only.
  void tell(std::string_view words) {
    if (story_) {
      story_(words);
    }
  }
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  /// Called with one line per traced step; for people who look for the cause of a failure.
  void tell_story_to(std::function<void(std::string_view line)> listener) { story_ = std::move(listener); }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  static constexpr std::uint64_t default_steps_max = 50'000'000;
  struct Event {
    Instant at;
    std::uint64_t tie;       // the seed's order among events of one instant; 0 for all when they are not reordered
    std::uint64_t sequence;  // the order in which they were caused
    SimulatedLoop* loop;
    std::move_only_function<void()> work;
  };
  static bool later(const Event& a, const Event& b);
  SimulatedLoop* next_ringing() const;
  bool step(Instant limit);

  WorldFaults faults_;
  Random choices_;
  FaultCounts fault_counts_;
  Instant now_;
  std::chrono::microseconds wall_offset_{0};
  std::uint64_t sequence_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t trace_hash_ = 0xcbf29ce484222325U;
  std::function<void(std::string_view)> story_;
  bool out_of_time_ = false;
  SimulatedNetwork network_;
  std::vector<std::unique_ptr<SimulatedLoop>> loops_;
  std::vector<Event> events_;  // a heap, the earliest in front
};

}  // namespace weir::platform
