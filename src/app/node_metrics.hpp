#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>

#include "app/config.hpp"
#include "app/gates.hpp"
#include "app/key_pools.hpp"
#include "gateway/core.hpp"
#include "http/server.hpp"
#include "ledger/budgets.hpp"
#include "ledger/live_feed.hpp"
#include "limits/limiter.hpp"
#include "net/dialer.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "platform/clock.hpp"
#include "platform/loop.hpp"
#include "platform/memory_budget.hpp"
#include "providers/provider.hpp"
#include "providers/reachability.hpp"
#include "routing/target_state.hpp"

namespace weir::app {

class RecordKeeping;

/// What became of the configurations that a node was given. From any thread.
class ReloadCounts {
 public:
  void count_applied() { applied_.fetch_add(1, std::memory_order_relaxed); }
  void count_rejected() {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    last_good_.store(false, std::memory_order_relaxed);
  }
  /// The configuration that was given last is in use, since then.
  void note_loaded(platform::WallTime at) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch());
    loaded_at_us_.store(us.count(), std::memory_order_relaxed);
    last_good_.store(true, std::memory_order_relaxed);
  }
  void collect(observe::MetricShard& into) const;

 private:
  std::atomic<std::uint64_t> applied_ = 0;
  std::atomic<std::uint64_t> rejected_ = 0;
  std::atomic<bool> last_good_ = true;
  std::atomic<std::int64_t> loaded_at_us_ = 0;
};

/// Where the numbers of one core stand. They belong to its thread.
struct CoreNumbers {
  gateway::Core& gateway;
  std::span<providers::Provider* const> providers;  // all that are not closed
  http::ServerCore& server;
  const net::Dialer& dialer;
  bool serves_tls;
  const Config* same_on_all_cores;  // told by one core; null: by another
};

/// A copy of what a core counted, with what is read only now. On its thread.
[[nodiscard]] observe::MetricShard read_numbers(const CoreNumbers& from);

/// Where the numbers stand that all cores share. They may be read from any thread.
struct SharedNumbers {
  const ReloadCounts& reloads;
  const KeyPools& key_pools;
  const providers::Reachability& reachability;
  const routing::TargetStates& targets;
  const platform::MemoryBudget& bodies;
  std::size_t bodies_bytes_max;
  const observe::Log& log;
  const RecordKeeping* records;  // null: nothing outlives the process
  const Gates& gates;
  const limits::Limiter& limiter;
  const ledger::Budgets& budgets;
  const ledger::LiveHub& live;
};

void add_numbers_of_all(const SharedNumbers& from, const platform::Loop& asking, observe::MetricShard& into);

}  // namespace weir::app
