#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/registry.hpp"
#include "api/router.hpp"
#include "api/status.hpp"
#include "app/config.hpp"
#include "http/server.hpp"
#include "ledger/request_ring.hpp"

namespace weir::app {

/// The whole gateway on a set of loops: the wiring of every component, real or simulated.
///
/// Life: made before the loops run (or on a simulated loop); shut_down() must have called back, and the loops must no
/// longer run, before it is destroyed. `log` outlives it.
class Node final : api::MetricSource, ledger::RecordSink {
 public:
  Node(std::vector<platform::Loop*> loops, std::shared_ptr<const Config> config, observe::Log& log);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() override;

  /// Starts to accept on every address of the config. On the first loop's thread, or before it runs. All or nothing.
  Result<void> listen();
  /// "http://127.0.0.1:8000", one for each address.
  [[nodiscard]] std::vector<std::string> urls() const;
  /// Readiness off, no new connections, what runs may finish within `grace`; calls back on the first loop when all has
  /// ended. From any thread.
  void shut_down(std::chrono::milliseconds grace, std::function<void()> done);

  /// The last calls.
  [[nodiscard]] const ledger::RequestRing& ring() const { return ring_; }
  [[nodiscard]] const api::Registry& registry() const { return registry_; }
  /// Calls and connections that are open on all cores; exact only while the loops do not run.
  [[nodiscard]] std::size_t open_connections() const;
  [[nodiscard]] const platform::MemoryBudget& budget() const { return budget_; }

 private:
  struct Core;
  Task<std::optional<observe::MetricShard>> gather(platform::Loop& asking, platform::Until until) override;
  void record(ledger::RecordPtr record) override;
  std::unique_ptr<providers::Provider> make_provider(platform::Loop& loop, const ProviderConfig& config) const;
  Task<void> stop_core(Core& core, std::chrono::milliseconds grace, std::shared_ptr<std::function<void()>> stopped);

  std::shared_ptr<const Config> config_;
  observe::Log& log_;
  std::shared_ptr<const gateway::Snapshot> snapshot_;
  ledger::RequestRing ring_{1000};
  platform::MemoryBudget budget_;
  std::atomic<bool> ready_ = false;
  api::Registry registry_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::unique_ptr<http::Acceptor> acceptor_;
  std::vector<std::unique_ptr<platform::Listener>> listeners_;
};

}  // namespace weir::app
