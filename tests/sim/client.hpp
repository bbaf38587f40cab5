#pragma once

#include <functional>
#include <memory>
#include <string>

#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/sim/simulated_world.hpp"
#include "sim/history.hpp"
#include "sim/response_reader.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// An application that calls the gateway, patiently or not, as its plan will have it.
class Client {
 public:
  struct Options {
    platform::Peer gateway;
    Duration patience;           // for one call; a client that loses it has found a hang
    std::function<void()> idle;  // called at the end of each pause between two calls
  };
  /// All of these outlive the client, and the client its run().
  Client(platform::SimulatedWorld& world, platform::SimulatedLoop& loop, const ClientPlan& plan, Options options,
         History& history);

  /// All its calls, one connection after the other.
  Task<void> run();

 private:
  class Connection;
  Task<bool> call_over(Connection& connection, std::size_t first, std::size_t last);
  Task<bool> send(Connection& connection, ClientCall& call, std::string_view request);
  Task<bool> receive(Connection& connection, ClientCall& call);
  [[nodiscard]] Duration pause_behind(const ClientCall& call) const;
  void leave(Connection& connection, ClientCall& call, ClientPhase phase);
  static std::string body_for(const CallPlan& plan);
  static std::string request_for(const CallPlan& plan, std::string body);

  platform::SimulatedWorld& world_;
  platform::SimulatedLoop& loop_;
  ClientPlan plan_;
  Options options_;
  History& history_;
};

}  // namespace weir::sim
