#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/gate.hpp"
#include "gateway/allowances.hpp"
#include "gateway/call_metrics.hpp"
#include "gateway/reply_tee.hpp"
#include "ledger/budgets.hpp"
#include "ledger/core_journal.hpp"
#include "ledger/live_feed.hpp"
#include "ledger/price_book.hpp"
#include "limits/limiter.hpp"
#include "net/task_group.hpp"
#include "observe/log.hpp"
#include "platform/loop.hpp"
#include "platform/memory_budget.hpp"
#include "providers/provider.hpp"
#include "routing/policy.hpp"
#include "tokens/count.hpp"

namespace weir::gateway {

/// The providers of one core by name. Shared by the snapshots that name them: one whose settings stay the same survives
/// a reload with its connections, one that is gone ends with its last call.
using Providers = std::map<std::string, std::shared_ptr<providers::Provider>, std::less<>>;

/// What a call is judged by, on one core. Immutable; a call keeps the one it began with for its whole life.
struct Snapshot {
  routing::ModelTable models;
  std::shared_ptr<const Allowances> allowances;  // null: nothing is limited
  Providers providers;
};

struct RelayOptions {
  std::size_t event_bytes_max = std::size_t{1} << 20;  // the largest event of a stream
  std::size_t held_bytes_max = std::size_t{1} << 20;   // of a stream before its first content
  std::size_t whole_bytes_max = std::size_t{1}
                                << 20;  // of a reply that is held until it is whole; beyond, it is relayed as it comes
  std::size_t adapted_bytes_max = std::size_t{32} << 20;   // of a reply that has to be written otherwise than it came
  std::size_t error_bytes_max = std::size_t{256} << 10;    // of a provider's error body
  std::size_t delivered_bytes_max = std::size_t{1} << 20;  // of a stream's text, kept to go on with it if it breaks off
  // After the last finish reason a stream may still bring its usage and its terminator; a socket that stays open may
  // not hold the caller up (promise 1): `timeouts.after_finish`. Who asked for usage waits for it a little longer.
  std::chrono::milliseconds usage_grace{1000};
  // Before the first content of a stream; 0: never.
  std::chrono::milliseconds keep_alive_after{20'000};
  std::chrono::milliseconds keep_alive_every{20'000};
};

/// Everything that the calls of one core share. Made by app/; outlives the calls. Belongs to one loop.
struct Core {
  platform::Loop& loop;
  std::shared_ptr<const Snapshot> snapshot;  // of calls that begin now; a reload puts another in its place
  std::shared_ptr<const auth::Gate> gate{};  // the same; null: nobody is asked who he is
  ledger::RecordSink& records;
  observe::Log& log;
  std::vector<ReplyTee*> tees;
  RelayOptions relay;
  platform::MemoryBudget* budget = nullptr;  // what is held of replies is charged to it; null: to nothing
  limits::Limiter* limiter = nullptr;        // of all cores; null: nothing is limited
  ledger::Budgets* budgets = nullptr;        // of all cores; null: nothing has a budget
  observe::MetricShard metrics;
  CallMetrics call_metrics{metrics};
  ledger::LiveFeed live;
  ledger::PriceCache prices;               // of calls that end now
  ledger::CoreJournal* journal = nullptr;  // of this core, where records outlive the process
  tokens::Counting* counting = nullptr;    // of all cores; null: what a provider does not tell is estimated
  // Work beside the calls; cancelled and joined before the providers go.
  net::TaskGroup background{loop, [&told = log](std::string_view task, const std::string& what) {
                              told.message(observe::Level::error, "gateway",
                                           "the task " + std::string(task) + " ended with an exception: " + what);
                            }};
};

}  // namespace weir::gateway
