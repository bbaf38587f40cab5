#pragma once

#include <exception>
#include <memory>
#include <utility>

#include "platform/loop.hpp"

namespace weir::platform {

/// A coroutine that runs on a loop by itself until it ends or until this handle goes, wherever it is suspended then.
/// For tests and simulated clients and servers; the product uses net::TaskGroup, which reports and joins.
class Running {
 public:
  /// Starts soon, through post(). `loop` outlives this.
  Running(Loop& loop, Task<void> task) : state_(std::make_shared<State>(std::move(task))) {
    loop.post([state = std::weak_ptr(state_)] {
      if (const auto waiting = state.lock()) {
        waiting->root = run(*waiting);
      }
    });
  }
  [[nodiscard]] bool done() const { return state_ == nullptr || state_->done; }
  /// Destroys the coroutine where it is. Not from inside itself.
  void drop() { state_.reset(); }

 private:
  struct Root {
    struct promise_type {
      Root get_return_object() { return Root(std::coroutine_handle<promise_type>::from_promise(*this)); }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_always final_suspend() noexcept { return {}; }
      void return_void() noexcept {}
      void unhandled_exception() noexcept { std::terminate(); }
    };
    Root() = default;
    explicit Root(std::coroutine_handle<promise_type> from) : handle(from) {}
    Root(Root&& from) noexcept : handle(std::exchange(from.handle, nullptr)) {}
    Root& operator=(Root&& from) noexcept {
      std::swap(handle, from.handle);
      return *this;
    }
    ~Root() {
      if (handle) {
        handle.destroy();
      }
    }
    std::coroutine_handle<promise_type> handle;
  };
  struct State {
    explicit State(Task<void> body) : task(std::move(body)) {}
    Task<void> task;
    Root root;  // destroyed before the task it awaits
    bool done = false;
  };
  static Root run(State& state) {
    co_await std::move(state.task);
    state.done = true;
  }

  std::shared_ptr<State> state_;
};

}  // namespace weir::platform
