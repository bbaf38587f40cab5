#include "net/task_group.hpp"

#include <string>

namespace weir::net {

/// The outermost coroutine of a task: starts at once, frees itself at its end.
struct TaskGroup::Root {
  struct promise_type {
    static void* operator new(std::size_t bytes) { return allocate_recycled(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { free_recycled(frame, bytes); }
    Root get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }  // run() catches all
  };
};

TaskGroup::Root TaskGroup::run(TaskGroup& group, std::string_view name, Task<void> task) {
  {
    Task<void> running = std::move(task);  // destroyed before the group is told
    try {
      co_await std::move(running);
    } catch (const std::exception& failure) {
      group.on_failure_(name, failure.what());
    } catch (...) {
      group.on_failure_(name, "an exception of unknown type");
    }
  }
  if (--group.running_ == 0) {
    group.empty_.notify();
  }
}

TaskGroup::TaskGroup(platform::Loop& loop, OnFailure on_failure, platform::Cancellation* parent)
    : on_failure_(std::move(on_failure)), cancellation_(parent), empty_(loop) {}

TaskGroup::~TaskGroup() {
  WEIR_ASSERT(running_ == 0, "a task group is joined before it goes");
}

void TaskGroup::spawn(std::string_view name, Task<void> task) {
  ++running_;
  run(*this, name, std::move(task));
}

Task<bool> TaskGroup::join(platform::Instant deadline) {
  while (running_ > 0) {
    empty_.clear();
    const platform::Wake wake = co_await empty_.wait({.deadline = deadline});
    if (wake == platform::Wake::timeout) {
      co_return running_ == 0;
    }
  }
  co_return true;
}

}  // namespace weir::net
