#include "platform/sim/simulated_network.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "platform/sim/simulated_connection.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::platform {

namespace {

bool is_literal(const std::string& host) {
  return host.find_first_not_of("0123456789.") == std::string::npos || host.contains(':');
}

class SimulatedAccepted final : public Accepted {
 public:
  explicit SimulatedAccepted(std::shared_ptr<SimulatedConnection> connection) : connection_(std::move(connection)) {}
  SimulatedAccepted(const SimulatedAccepted&) = delete;
  SimulatedAccepted& operator=(const SimulatedAccepted&) = delete;
  ~SimulatedAccepted() override {
    if (connection_ != nullptr) {
      connection_->close(SimulatedConnection::accepting, SimulatedConnection::How::orderly);
    }
  }
  std::unique_ptr<Stream> open_on(Loop& loop) override {
    // Accepted connections and loops come from the same platform: the simulated one.
    auto& simulated = static_cast<SimulatedLoop&>(loop);  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast)
    return SimulatedConnection::open(std::exchange(connection_, nullptr), SimulatedConnection::accepting, simulated);
  }

 private:
  std::shared_ptr<SimulatedConnection> connection_;
};

}  // namespace

class SimulatedListener final : public Listener {
 public:
  SimulatedListener(SimulatedNetwork& network, std::shared_ptr<SimulatedNetwork::Listening> listening)
      : network_(network), listening_(std::move(listening)) {}
  SimulatedListener(const SimulatedListener&) = delete;
  SimulatedListener& operator=(const SimulatedListener&) = delete;
  ~SimulatedListener() override {
    if (!listening_->closed) {
      listening_->closed = true;
      network_.listening_.erase({listening_->address, listening_->port});
    }
  }
  [[nodiscard]] std::uint16_t port() const override { return listening_->port; }
  [[nodiscard]] std::string address() const override {
    return listening_->port == 0 ? listening_->address : fmt::format("{}:{}", listening_->address, listening_->port);
  }

 private:
  SimulatedNetwork& network_;
  std::shared_ptr<SimulatedNetwork::Listening> listening_;
};

SimulatedNetwork::SimulatedNetwork(SimulatedWorld& world) : world_(world) {}

const LinkFaults& SimulatedNetwork::link_to(const std::string& address) const {
  const auto found = links_.find(address);
  return found == links_.end() ? default_link_ : found->second;
}

std::shared_ptr<SimulatedNetwork::Listening> SimulatedNetwork::listening_at(const std::string& address,
                                                                            std::uint16_t port) const {
  for (const char* any : {"", "0.0.0.0", "::"}) {
    const auto found = listening_.find({*any == '\0' ? address : any, port});
    if (found != listening_.end()) {
      return found->second;
    }
  }
  return nullptr;
}

Result<std::unique_ptr<Listener>> SimulatedNetwork::listen(SimulatedLoop& loop, const Peer& at,
                                                           AcceptHandler& handler) {
  const bool is_unix = !at.unix_path.empty();
  const std::string address = is_unix ? to_string(at) : at.host == "localhost" ? "127.0.0.1" : at.host;
  if (!is_literal(address)) {
    return fail(Code::invalid_request, fmt::format("cannot listen on {}: it is not an IP address", at.host));
  }
  const std::uint16_t port = is_unix ? 0 : at.port == 0 ? ++next_port_ : at.port;
  const auto [place, inserted] = listening_.try_emplace({address, port});
  if (!inserted) {
    return fail(Code::io_error, fmt::format("cannot listen on {}:{}: address in use", address, port));
  }
  place->second =
      std::make_shared<Listening>(Listening{.loop = loop, .handler = handler, .address = address, .port = port});
  return std::make_unique<SimulatedListener>(*this, place->second);
}

void SimulatedNetwork::answer(SimulatedLoop& from, Instant at, std::weak_ptr<Dialling> dialling, Code code,
                              std::string message) {
  world_.schedule(at, from, [this, code, dialling = std::move(dialling), message = std::move(message)]() mutable {
    world_.trace("dial failed", static_cast<std::uint64_t>(code));
    if (const auto waiting = dialling.lock()) {
      waiting->result = fail(code, std::move(message));
      waiting->done.notify();
    }
  });
}

void SimulatedNetwork::start_lookup(SimulatedLoop& from, const std::string& name, std::weak_ptr<Lookup> lookup) {
  ++lookups_;
  world_.schedule(world_.now() + world_.pick(default_link_.latency), from, [this, name, lookup = std::move(lookup)] {
    world_.trace("looked up");
    const auto waiting = lookup.lock();
    if (waiting == nullptr) {
      return;
    }
    const auto found = names_.find(name);
    if (found == names_.end()) {
      world_.fault_counts().count(Fault::dial_unreachable);
      waiting->result = fail(Code::unreachable, fmt::format("the name {} does not resolve", name));
    } else {
      waiting->result.emplace();
      for (const std::string& text : found->second) {
        if (const auto address = parse_bare_address(text)) {
          waiting->result->push_back(*address);
        }
      }
    }
    waiting->done.notify();
  });
}

void SimulatedNetwork::start_dialling(SimulatedLoop& from, const Peer& peer, std::weak_ptr<Dialling> dialling) {
  std::string address = peer.unix_path.empty() ? peer.host : to_string(peer);
  if (killed_.contains(&from)) {
    answer(from, world_.now(), std::move(dialling), Code::unreachable, "the process was killed");
    return;
  }
  if (!is_literal(address)) {
    const auto found = names_.find(peer.host);
    if (found == names_.end()) {
      world_.fault_counts().count(Fault::dial_unreachable);
      answer(from, world_.now() + world_.pick(default_link_.latency), std::move(dialling), Code::unreachable,
             fmt::format("the name {} does not resolve", peer.host));
      return;
    }
    address = found->second.front();
  }
  const std::uint16_t port = peer.unix_path.empty() ? peer.port : 0;
  const LinkFaults link = link_to(address);
  if (world_.chance(link.dial_silent)) {
    world_.fault_counts().count(Fault::dial_silent);
    world_.trace("dial into silence");
    return;
  }
  const Instant arrives = world_.now() + world_.pick(link.latency);
  if (world_.chance(link.dial_refused)) {
    world_.fault_counts().count(Fault::dial_refused);
    answer(from, arrives + world_.pick(link.latency), std::move(dialling), Code::refused,
           fmt::format("{}:{}: connection refused", address, port));
    return;
  }
  world_.schedule(arrives, from,
                  [this, &from, address = std::move(address), port, link, dialling = std::move(dialling)]() mutable {
                    knock(from, address, port, link, std::move(dialling));
                  });
}

void SimulatedNetwork::knock(SimulatedLoop& from, const std::string& address, std::uint16_t port,
                             const LinkFaults& link, std::weak_ptr<Dialling> dialling) {
  if (killed_.contains(&from)) {
    answer(from, world_.now(), std::move(dialling), Code::unreachable, "the process was killed");
    return;
  }
  const Instant answered_at = world_.now() + world_.pick(link.latency);
  const auto listening = listening_at(address, port);
  if (listening == nullptr) {
    world_.fault_counts().count(Fault::dial_refused);
    answer(from, answered_at, std::move(dialling), Code::refused,
           fmt::format("{}:{}: connection refused", address, port));
    return;
  }
  auto connection = std::make_shared<SimulatedConnection>(
      world_, ++connections_, link,
      SimulatedConnection::Place{
          .loop = &from,
          .address = port == 0 ? std::string("unix:") : fmt::format("{}:{}", from.address(), ++next_port_)},
      SimulatedConnection::Place{.loop = &listening->loop, .address = fmt::format("{}:{}", address, port)});
  alive_.push_back(connection);
  world_.schedule(world_.now() + world_.pick(world_.faults().wake_delay), listening->loop,
                  [this, listening, connection] {
                    world_.trace("accept", connection->number());
                    if (listening->closed) {
                      connection->close(SimulatedConnection::accepting, SimulatedConnection::How::reset);
                      return;
                    }
                    listening->handler.on_accept(std::make_unique<SimulatedAccepted>(connection));
                  });
  world_.schedule(answered_at, from, [this, &from, connection, dialling = std::move(dialling)] {
    world_.trace("connected", connection->number());
    const auto waiting = dialling.lock();
    if (waiting == nullptr) {
      connection->close(SimulatedConnection::dialling, SimulatedConnection::How::reset);
      return;
    }
    waiting->result = SimulatedConnection::open(connection, SimulatedConnection::dialling, from);
    waiting->done.notify();
  });
}

void SimulatedNetwork::kill(std::span<SimulatedLoop* const> loops) {
  world_.trace("kill", loops.size());
  killed_.insert(loops.begin(), loops.end());
  std::erase_if(listening_, [&](const auto& place) {
    const bool dies = std::ranges::find(loops, &place.second->loop) != loops.end();
    place.second->closed = place.second->closed || dies;
    return dies;
  });
  std::erase_if(alive_, [](const auto& connection) { return connection.expired(); });
  const auto connections = alive_;
  for (const auto& held : connections) {
    if (const auto connection = held.lock()) {
      connection->kill_ends_of(loops);
    }
  }
}

}  // namespace weir::platform
