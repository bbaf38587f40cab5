#pragma once

#include <exception>
#include <functional>
#include <string_view>

#include "platform/signal.hpp"

namespace weir::net {

/// Work that outlives the function which started it: named, its failure reported, cancelled together, joined before
/// what it uses goes.
///
/// Life: join() must have returned before the destructor runs (asserted). Belongs to one loop.
class TaskGroup {
 public:
  /// Told of an exception that ended a task; must not throw.
  using OnFailure = std::function<void(std::string_view name, const std::string& what)>;

  TaskGroup(platform::Loop& loop, OnFailure on_failure, platform::Cancellation* parent = nullptr);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  /// Starts `task` at once, up to its first wait. `name` is a literal: it lives for ever.
  void spawn(std::string_view name, Task<void> task);
  /// What every task of the group waits with.
  [[nodiscard]] platform::Cancellation& cancellation() { return cancellation_; }
  void cancel() { cancellation_.cancel(); }
  /// Waits until no task is left, or for the deadline: false if some still run.
  Task<bool> join(platform::Instant deadline);
  [[nodiscard]] std::size_t size() const { return running_; }

 private:
  struct Root;
  static Root run(TaskGroup& group, std::string_view name, Task<void> task);

  OnFailure on_failure_;
  platform::Cancellation cancellation_;
  platform::Signal empty_;
  std::size_t running_ = 0;
};

}  // namespace weir::net
