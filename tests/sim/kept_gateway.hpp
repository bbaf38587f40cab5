#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/node.hpp"
#include "app/record_keeping.hpp"
#include "platform/sim/simulated_files.hpp"
#include "platform/sim/simulated_world.hpp"
#include "sim/history.hpp"
#include "sim/money_scenario.hpp"
#include "sim/money_states.hpp"
#include "sim/mortal.hpp"

namespace weir::sim {

/// What is left when a process dies.
struct Machine {
  platform::SimulatedFiles disk;
  std::unique_ptr<store::Store> store;
  PutRecords put;
};

/// A process that was killed.
struct Death {
  Instant at;
  std::size_t records = 0;  // of calls that had ended by then
};

/// What happened in a run beside what clients and upstreams saw.
struct MoneyHistory {
  std::vector<std::size_t> process_of_record;
  std::vector<Instant> began;                // each process
  std::vector<std::optional<Death>> deaths;  // of each process
  std::uint64_t recovered_unknown = 0;       // as the log says
  MoneyStates states;
};

/// One process of the gateway, as the product wires it with its journal and its store: two cores, and a loop on which
/// journal and store have their turns, where the product has a thread for each. It can be killed; what it still does
/// then reaches nobody, and it comes to its end unseen.
class KeptGateway {
 public:
  static constexpr const char* data_dir = "/data";

  /// All of them outlive it. Listens from now on, unless it is killed before it comes to that.
  KeptGateway(platform::SimulatedWorld& world, const MoneyScenario& scenario, Machine& machine, History& history,
              MoneyHistory& money, std::size_t number, std::uint64_t dies_at_operation);
  KeptGateway(const KeptGateway&) = delete;
  KeptGateway& operator=(const KeptGateway&) = delete;
  /// After stopped().
  ~KeptGateway();

  void kill() { life_.end(); }
  [[nodiscard]] bool killed() const { return life_.over(); }
  [[nodiscard]] std::uint64_t segments_made() const { return files_.segments_made(); }
  [[nodiscard]] std::uint64_t segments_reused() const { return files_.segments_reused(); }
  /// Ends in good order; what it holds is with the store when stopped().
  void shut_down();
  [[nodiscard]] bool stopped() const { return stopped_; }
  /// One turn of journal and store.
  void turn();
  [[nodiscard]] std::vector<ledger::Budgets::Standing> standings() const;
  [[nodiscard]] std::size_t leases() const { return node_->budgets().live_leases(); }
  [[nodiscard]] std::int64_t limited_in_flight() const { return node_->limiter().in_flight(); }
  [[nodiscard]] std::size_t memory_used() const { return node_->budget().used(); }

 private:
  class RecordingLog;
  class WorldClock;
  void die();
  void turn_in(Duration time);
  void note_news();
  void stop_node();

  platform::SimulatedWorld& world_;
  const MoneyScenario& scenario_;
  Machine& machine_;
  History& history_;
  MoneyHistory& money_;
  const std::size_t number_;
  Life life_;
  MortalFiles files_;
  std::vector<platform::SimulatedLoop*> loops_;  // of the cores; then that of journal and store
  std::unique_ptr<WorldClock> clock_;
  std::unique_ptr<RecordingLog> log_;
  std::unique_ptr<app::Node> node_;
  std::unique_ptr<app::RecordKeeping> records_;
  bool in_recovery_ = true;
  bool journal_due_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
};

}  // namespace weir::sim
