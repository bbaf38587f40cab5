#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "platform/signal.hpp"
#include "platform/sim/faults.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

class SimulatedConnection;
class SimulatedLoop;
class SimulatedWorld;

/// The network of a SimulatedWorld: names, who listens where, and how the way to each host behaves.
class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(SimulatedWorld& world);
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;
  ~SimulatedNetwork() = default;

  /// A name that is not here does not resolve; `localhost` is.
  void add_name(std::string name, std::string address) { names_[std::move(name)] = {std::move(address)}; }
  /// With several addresses, in the order in which they are to be tried.
  void add_name(std::string name, std::vector<std::string> addresses) {
    names_[std::move(name)] = std::move(addresses);
  }
  void remove_name(const std::string& name) { names_.erase(name); }
  /// The process that these loops belong to is killed: nobody listens there any more, its connections end as the kernel
  /// ends them, and from now on nothing that it still does reaches anybody.
  void kill(std::span<SimulatedLoop* const> loops);
  /// Questions for names, answered or not.
  [[nodiscard]] std::uint64_t lookups() const { return lookups_; }
  /// For ways without one of their own. Connections that exist keep what they began with.
  void set_default_link(LinkFaults faults) { default_link_ = faults; }
  /// For connections to `address`, both directions.
  void set_link(std::string address, LinkFaults faults) { links_[std::move(address)] = faults; }
  /// Streams that were opened and neither closed nor destroyed: zero when everything was given back.
  [[nodiscard]] std::size_t open_streams() const { return open_streams_; }
  /// Both ends of every connection ever made are counted; for looking at reuse.
  [[nodiscard]] std::uint64_t connections_made() const { return connections_; }

 private:
  friend class SimulatedLoop;
  friend class SimulatedConnection;
  friend class SimulatedListener;

  /// A dial under way. The dialler's coroutine owns it; the network only finds it while that one still waits.
  struct Dialling {
    explicit Dialling(Loop& loop) : done(loop) {}
    Signal done;
    Result<std::unique_ptr<Stream>> result;
  };
  struct Lookup {
    explicit Lookup(Loop& loop) : done(loop) {}
    Signal done;
    Result<std::vector<IpAddress>> result;
  };
  struct Listening {
    SimulatedLoop& loop;
    AcceptHandler& handler;
    std::string address;
    std::uint16_t port;
    bool closed = false;
  };
  using Place = std::pair<std::string, std::uint16_t>;

  void start_lookup(SimulatedLoop& from, const std::string& name, std::weak_ptr<Lookup> lookup);
  void start_dialling(SimulatedLoop& from, const Peer& peer, std::weak_ptr<Dialling> dialling);
  void knock(SimulatedLoop& from, const std::string& address, std::uint16_t port, const LinkFaults& link,
             std::weak_ptr<Dialling> dialling);
  void answer(SimulatedLoop& from, Instant at, std::weak_ptr<Dialling> dialling, Code code, std::string message);
  Result<std::unique_ptr<Listener>> listen(SimulatedLoop& loop, const Peer& at, AcceptHandler& handler);
  [[nodiscard]] const LinkFaults& link_to(const std::string& address) const;
  [[nodiscard]] std::shared_ptr<Listening> listening_at(const std::string& address, std::uint16_t port) const;

  SimulatedWorld& world_;
  std::map<std::string, std::vector<std::string>> names_{{"localhost", {"127.0.0.1"}}};
  std::uint64_t lookups_ = 0;
  LinkFaults default_link_;
  std::map<std::string, LinkFaults> links_;
  std::map<Place, std::shared_ptr<Listening>> listening_;
  std::uint16_t next_port_ = 20'000;
  std::vector<std::weak_ptr<SimulatedConnection>> alive_;
  std::set<const SimulatedLoop*> killed_;
  std::size_t open_streams_ = 0;
  std::uint64_t connections_ = 0;
};

}  // namespace weir::platform
