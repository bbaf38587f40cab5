#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "admin/reload.hpp"
#include "api/registry.hpp"
#include "api/router.hpp"
#include "api/status.hpp"
#include "app/allowance_table.hpp"
#include "app/config.hpp"
#include "app/gates.hpp"
#include "app/identity_store.hpp"
#include "app/key_pools.hpp"
#include "app/node_metrics.hpp"
#include "app/probes.hpp"
#include "app/provider_slots.hpp"
#include "app/reachability_checks.hpp"
#include "app/tls_material.hpp"
#include "gateway/model_directory.hpp"
#include "http/server.hpp"
#include "ledger/budgets.hpp"
#include "ledger/live_feed.hpp"
#include "ledger/request_ring.hpp"
#include "limits/limiter.hpp"
#include "net/dialer.hpp"
#include "platform/process.hpp"
#include "platform/shared_budget.hpp"
#include "routing/target_state.hpp"

namespace weir::store {
class Worker;
}

namespace weir::app {

class RecordKeeping;

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
  /// The listening sockets, for a successor of this process. Before shut_down().
  [[nodiscard]] std::vector<platform::Successor::Socket> listening_sockets() const;

  struct ShutDown {
    std::chrono::milliseconds grace;          // for what runs, counted from the end of the delay
    std::chrono::milliseconds accept_for{0};  // go on accepting with readiness off, so that balancers look away first
    bool handed_over = false;                 // a successor has our sockets: the files of Unix sockets stay
  };
  /// Readiness off, then no new connections; calls back on the first loop when all has ended. From any thread.
  void shut_down(ShutDown how, std::function<void()> done);

  /// Makes a part of the process ready for another configuration (reads certificates, say). May block and may fail,
  /// which rejects the whole reload; what it returns is run once all parts agreed, on the first loop, just before the
  /// new configuration holds.
  using ReloadHook = std::function<Result<std::function<void()>>(const Config&)>;
  /// Before the loops run. Hooks are called for every reload, also where nothing in `Config` differs.
  void on_reload(ReloadHook hook) { reload_hooks_.push_back(std::move(hook)); }
  /// Calls that begin from now on are judged by `config`, on each core from the moment the news reaches it; those that
  /// run keep what they began with. Providers with the same settings keep their connections; others end with their
  /// last call. What needs a restart (config_changes.hpp) is left alone. On an error nothing has changed and `done` is
  /// not called; else it is called on the first loop when every core has the new configuration. From any thread that
  /// may block, one reload at a time, before shut_down().
  Result<void> reload(std::shared_ptr<const Config> config, std::function<void()> done);
  /// What is free of the memory goes back to the system: in a moment without much work, for it waits for the cores'
  /// heaps and they for it. From any thread, while the loops run.
  void give_memory_back();
  /// Counts a configuration that did not even come as far as reload().
  void count_rejected_reload();
  /// Who answers `POST /admin/v1/reload`; before the loops run. Outlives them.
  void set_reloading(admin::Reloading& reloading) { reloading_ = &reloading; }

  /// Where records go that outlive the process; before the loops run. Outlives their work. Without: memory alone.
  void use_records(RecordKeeping& records);

  /// Where keys and tenants are kept; before the loops run. Outlives their work. Without: there are none.
  void use_identities(IdentityStore& identities) { identities_ = &identities; }
  [[nodiscard]] const Gates& gates() const { return gates_; }
  [[nodiscard]] const AllowanceTable& allowances() const { return allowances_; }
  /// The store's keys are hashed with that, and until judge_by() nobody knows which there are. `answers`: whether the
  /// store can be asked at this moment; from any thread. Before the loops run.
  void expect_keys(std::shared_ptr<const auth::KeyHasher> hasher, auth::KeyTable::StoreAnswers answers);
  /// Has every core judge calls by `rows`; calls `done` on one of their threads when all do. From any thread.
  void judge_by(std::shared_ptr<const IdentityRows> rows, std::function<void()> done);

  /// Who counts tokens where a provider tells no usage; before the loops run. Outlives their work. Without: estimates.
  void use_counting(tokens::Counting& counting);

  /// The last calls.
  [[nodiscard]] const ledger::RequestRing& ring() const { return ring_; }
  [[nodiscard]] const api::Registry& registry() const { return registry_; }
  /// Calls and connections that are open on all cores; exact only while the loops do not run.
  [[nodiscard]] std::size_t open_connections() const;
  /// Upstream calls that hold a place at their target.
  [[nodiscard]] int calls_at_targets() const;
  [[nodiscard]] const platform::MemoryBudget& budget() const { return budget_; }
  [[nodiscard]] const ledger::Budgets& budgets() const { return budgets_; }
  [[nodiscard]] const limits::Limiter& limiter() const { return limiter_; }
  /// Connections to providers that are counted as open, on all cores.
  [[nodiscard]] std::size_t upstream_connections() { return slots_.open(); }

 private:
  struct Core;
  Task<std::optional<observe::MetricShard>> gather(platform::Loop& asking, platform::Until until) override;
  void record(ledger::RecordPtr record) override;
  void expect_budgets(const AuthConfig& auth, const gateway::Allowances& allowances);
  /// The models of `config` with what they share over cores and reloads.
  [[nodiscard]] routing::ModelTable bound_models(const Config& config);
  void watch_providers(const Config& config);
  Task<void> stop_all(ShutDown how, std::function<void()> done);
  Task<void> stop_core(Core& core, std::chrono::milliseconds grace, std::shared_ptr<std::function<void()>> stopped);

  const std::shared_ptr<const Config> config_;  // that it was started with; each core knows the one in use
  observe::Log& log_;
  KeyPools key_pools_{log_};
  ledger::RequestRing ring_;
  ledger::LiveHub live_;
  gateway::ModelDirectory directory_;
  routing::TargetStates targets_;  // survive reloads
  providers::Reachability reachability_;
  platform::MemoryBudget budget_;
  platform::SharedBudget body_shares_;  // of the budget, by address
  ProviderSlots slots_;
  limits::Limiter limiter_;
  ledger::Budgets budgets_;
  AllowanceTable allowances_;
  http::PeerConnections peers_;
  std::atomic<bool> ready_ = false;
  std::vector<ReloadHook> reload_hooks_;
  admin::Reloading* reloading_ = nullptr;
  RecordKeeping* records_ = nullptr;
  store::Worker* store_ = nullptr;  // of records_
  admin::Identities* identities_ = nullptr;
  ReloadCounts reloads_;
  Gates gates_;
  api::Registry registry_;
  const net::TlsTicketKeys ticket_keys_ = net::make_ticket_keys();
  TlsMaterial tls_;  // replaced on the first loop between two configurations
  std::vector<std::unique_ptr<Core>> cores_;
  std::unique_ptr<ReachabilityChecks> checks_;  // on the first core
  std::unique_ptr<Probes> probes_;              // likewise
  std::unique_ptr<http::Acceptor> acceptor_;
  std::unique_ptr<http::Acceptor> tls_acceptor_;  // null: plain HTTP
  std::vector<std::unique_ptr<platform::Listener>> listeners_;
  std::vector<std::string> urls_;  // of the listeners
};

}  // namespace weir::app
