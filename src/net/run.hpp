#pragma once

#include "net/task_group.hpp"
#include "platform/real_loop.hpp"

namespace weir::net {

/// Runs one task to its end on a loop of its own thread's, blocking. For commands, not for servers.
inline void run_to_end(platform::RealLoop& loop, Task<void> task) {
  struct Last {
    static Task<void> run(platform::RealLoop& on, Task<void> work) {
      co_await std::move(work);
      on.stop();
    }
  };
  TaskGroup tasks(loop, [&loop](std::string_view, const std::string&) { loop.stop(); });
  tasks.spawn("command", Last::run(loop, std::move(task)));
  loop.run();
}

}  // namespace weir::net
