#pragma once

#include <map>
#include <set>
#include <string>

#include "gateway/core.hpp"
#include "http/server.hpp"
#include "net/task_group.hpp"
#include "platform/signal.hpp"
#include "providers/reachability.hpp"

namespace weir::app {

/// Asks a target for one token when its circuit breaker is due for a trial, so that no caller has to be the one who
/// finds out. Each is a call like any other: it takes the breaker's trial, and is recorded with what it cost.
///
/// Life: close() must have returned before the destructor. Belongs to the core's loop; `core` and `found` outlive it.
class Probes {
 public:
  struct Plan {
    int per_day = 0;                               // of one provider; days begin at 0:00 UTC
    std::set<std::string, std::less<>> providers;  // that may be asked; none: nobody is
  };
  Probes(gateway::Core& core, providers::Reachability& found);

  /// From now on.
  void use(Plan plan);
  Task<void> close();

 private:
  /// Asked in a recovery period of a target; where that told nothing of it, it is not asked again before the next.
  struct Asked {
    platform::Instant period{};  // when its trials began
    bool running = false;
    bool in_vain = false;
  };
  struct Spent {
    std::int64_t day = 0;
    int probes = 0;
  };
  Task<void> run();
  /// Begins those that are due; the next moment to look.
  platform::Instant look();
  platform::Instant look_at(const std::shared_ptr<const gateway::Snapshot>& snapshot, const routing::Target& target);
  bool spend(const std::string& provider);
  Task<void> probe(std::shared_ptr<const gateway::Snapshot> snapshot, const routing::Target& target);

  gateway::Core& core_;
  providers::Reachability& found_;
  Plan plan_;
  std::map<std::string, Asked, std::less<>> asked_;  // by target
  std::map<std::string, Spent, std::less<>> spent_;  // by provider
  std::set<http::RequestEnd*> open_;
  platform::Signal changed_;
  net::TaskGroup tasks_;
  bool running_ = false;
};

}  // namespace weir::app
