#include "platform/sim/simulated_loop.hpp"

#include "platform/signal.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::platform {

SimulatedLoop::SimulatedLoop(SimulatedWorld& world, std::string address, std::uint64_t number, std::uint64_t seed)
    : world_(world), address_(std::move(address)), number_(number), random_(seed) {}

Instant SimulatedLoop::now() const {
  return world_.now();
}

WallTime SimulatedLoop::wall_now() const {
  return world_.wall_now();
}

void SimulatedLoop::post(std::move_only_function<void()> work) {
  posted_.push_back(std::move(work));
  // The events of one loop may be reordered, its posts may not: each event runs whatever was posted first.
  world_.schedule(world_.now() + world_.pick(world_.faults().wake_delay), *this, [this] {
    world_.trace("post on", number_);
    auto next = std::move(posted_.front());
    posted_.pop_front();
    next();
  });
}

Task<Result<std::vector<IpAddress>>> SimulatedLoop::resolve(const std::string& host, Until until) {
  if (const auto literal = parse_bare_address(host)) {
    co_return std::vector<IpAddress>{*literal};
  }
  const auto lookup = std::make_shared<SimulatedNetwork::Lookup>(*this);
  world_.network().start_lookup(*this, host, lookup);
  const Wake wake = co_await lookup->done.wait(until);
  if (wake != Wake::notified) {
    co_return fail(code_of(wake), "looking up " + host + " took too long");
  }
  co_return std::move(lookup->result);
}

Task<Result<std::unique_ptr<Stream>>> SimulatedLoop::dial(const Peer& peer, Until until) {
  const auto dialling = std::make_shared<SimulatedNetwork::Dialling>(*this);
  world_.network().start_dialling(*this, peer, dialling);
  const Wake wake = co_await dialling->done.wait(until);
  if (wake != Wake::notified) {
    co_return fail(code_of(wake), "connecting to " + to_string(peer) + " took too long");
  }
  co_return std::move(dialling->result);
}

Result<std::unique_ptr<Listener>> SimulatedLoop::listen(const Peer& at, AcceptHandler& handler,
                                                        const ListenOptions& /*options*/) {
  return world_.network().listen(*this, at, handler);
}

bool SimulatedLoop::hold(HeldWrite& write) {
  if (!world_.chance(world_.faults().hold)) {
    return false;
  }
  if (keep(write)) {
    post([this] { let_held_leave(); });
  }
  return true;
}

void SimulatedLoop::fire_timers() {
  timers_.fire(now());
  run_ready();
}

void SimulatedLoop::enter(std::move_only_function<void()> work) {
  work();
  run_ready();
}

}  // namespace weir::platform
