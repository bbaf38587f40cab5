#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/node.hpp"
#include "platform/sim/simulated_world.hpp"
#include "sim/history.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// What the gateway is configured with; `generations`: how often each provider was replaced.
std::shared_ptr<app::Config> config_of(const Scenario& scenario, const std::map<std::string, int>& generations);

/// The whole gateway, as the product wires it, on two simulated loops.
class GatewayUnderTest {
 public:
  static constexpr std::uint16_t port = 8000;
  static constexpr const char* address = "10.0.0.1";

  /// World and history outlive it. Listens from now on.
  GatewayUnderTest(platform::SimulatedWorld& world, const Scenario& scenario, History& history);
  GatewayUnderTest(const GatewayUnderTest&) = delete;
  GatewayUnderTest& operator=(const GatewayUnderTest&) = delete;
  /// After stopped().
  ~GatewayUnderTest();

  /// Stops listening, ends what runs (after `grace` by force) and gives everything back.
  void shut_down(Duration grace);
  /// Loads a configuration that says the same about every call, and not the same about the providers named: each of
  /// them is replaced, with its connections.
  void reload(const std::vector<std::string>& replaced);
  [[nodiscard]] std::size_t reloads() const { return reloads_; }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] std::size_t budget_used() const { return node_->budget().used(); }
  [[nodiscard]] std::size_t upstream_connections() const { return node_->upstream_connections(); }
  [[nodiscard]] int calls_at_targets() const { return node_->calls_at_targets(); }
  [[nodiscard]] std::size_t leases() const { return node_->budgets().live_leases(); }
  [[nodiscard]] std::int64_t limited_in_flight() const { return node_->limiter().in_flight(); }
  /// Of the one budget of a metered scenario, in picodollars; and what is held of it.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> spent_and_held() const;
  [[nodiscard]] std::size_t connections() const { return node_->open_connections(); }

 private:
  class RecordingLog;

  const Scenario& scenario_;
  std::map<std::string, int> generations_;  // how often a provider was replaced
  std::size_t reloads_ = 0;                 // that every core has seen
  std::unique_ptr<RecordingLog> log_;
  std::unique_ptr<app::Node> node_;
  bool stopping_ = false;
  bool stopped_ = false;
};

}  // namespace weir::sim
