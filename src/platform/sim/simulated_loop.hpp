#pragma once

#include <deque>
#include <functional>
#include <string>

#include "platform/loop.hpp"

namespace weir::platform {

class SimulatedWorld;

/// One of the loops of a SimulatedWorld: behaves as a thread of its own, but all of them share one thread and one time.
class SimulatedLoop final : public Loop {
 public:
  SimulatedLoop(SimulatedWorld& world, std::string address, std::uint64_t number, std::uint64_t seed);
  SimulatedLoop(const SimulatedLoop&) = delete;
  SimulatedLoop& operator=(const SimulatedLoop&) = delete;
  ~SimulatedLoop() override = default;

  [[nodiscard]] Instant now() const override;
  [[nodiscard]] WallTime wall_now() const override;
  /// From the world's one thread, on whichever loop it is. Keeps the order of the posts.
  void post(std::move_only_function<void()> work) override;
  [[nodiscard]] Random& random() override { return random_; }
  Task<Result<std::vector<IpAddress>>> resolve(const std::string& host, Until until) override;
  Task<Result<std::unique_ptr<Stream>>> dial(const Peer& peer, Until until) override;
  using Loop::listen;
  Result<std::unique_ptr<Listener>> listen(const Peer& at, AcceptHandler& handler,
                                           const ListenOptions& options) override;

  bool hold(HeldWrite& write) override;

  [[nodiscard]] SimulatedWorld& world() { return world_; }
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  friend class SimulatedWorld;
  [[nodiscard]] Instant next_timer() const { return timers_.next(); }
  void fire_timers();
  /// One entry from the outside: runs `work`, then everything that became ready.
  void enter(std::move_only_function<void()> work);
  void timer_added(Instant) override {}  // the world asks before each step

  SimulatedWorld& world_;
  std::string address_;
  std::uint64_t number_;
  Random random_;
  std::deque<std::move_only_function<void()>> posted_;
};

}  // namespace weir::platform
