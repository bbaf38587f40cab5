#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "http/connector.hpp"
#include "net/task_group.hpp"
#include "observe/log.hpp"
#include "platform/signal.hpp"
#include "providers/reachability.hpp"

namespace weir::app {

/// Makes a connection to each provider now and then, and closes it: nothing is asked, nothing is paid.
///
/// Life: close() must have returned before the destructor. Belongs to one loop; `found` and `log` outlive it.
class ReachabilityChecks {
 public:
  struct Provider {
    std::string name;
    http::Connector::Options connect;
  };
  struct Plan {
    std::chrono::milliseconds interval{30'000};
    std::chrono::milliseconds timeout{5'000};
    std::vector<Provider> providers;  // empty: nothing is checked
  };
  ReachabilityChecks(platform::Loop& loop, providers::Reachability& found, observe::Log& log);

  /// From now on; the first checks begin at once.
  void use(Plan plan);
  Task<void> close();

 private:
  Task<void> run();
  Task<void> check(std::shared_ptr<const Plan> plan, std::size_t index);

  platform::Loop& loop_;
  providers::Reachability& found_;
  observe::Log& log_;
  std::shared_ptr<const Plan> plan_;
  platform::Signal changed_;
  net::TaskGroup tasks_;
  bool running_ = false;
};

}  // namespace weir::app
