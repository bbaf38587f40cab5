#pragma once

#include <coroutine>
#include <utility>

#include "base/assert.hpp"
#include "platform/loop.hpp"

namespace weir::platform {

enum class Wake : std::uint8_t { notified, timeout, cancelled };

/// The one way to wait: a coroutine sleeps on it until somebody notifies, the deadline passes, or the cancellation
/// comes.
///
/// A notify() without a waiter is kept (once) for the next wait. One waiter at a time; belongs to one loop. The awaiter
/// lives in the waiting coroutine's frame: no allocation, and destroying the frame unlinks it from everything.
class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(loop) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void notify() {
    if (waiter_ != nullptr) {
      std::exchange(waiter_, nullptr)->end(Wake::notified);
    } else {
      notified_ = true;
    }
  }
  void clear() { notified_ = false; }

  class [[nodiscard]] Awaiter final : public Timer, public CancelHook, public ReadyHook {
   public:
    Awaiter(Signal& signal, Until until) : signal_(signal), until_(until) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (signal_.waiter_ == this) {
        signal_.waiter_ = nullptr;
      }
    }

    bool await_ready() {
      if (until_.cancellation != nullptr && until_.cancellation->cancelled()) {
        wake_ = Wake::cancelled;
        return true;
      }
      if (signal_.notified_) {
        signal_.notified_ = false;
        return true;
      }
      return false;
    }
    void await_suspend(std::coroutine_handle<> waiting) {
      WEIR_ASSERT(signal_.waiter_ == nullptr, "one waiter at a time");
      waiting_ = waiting;
      signal_.waiter_ = this;
      if (until_.deadline != never) {
        signal_.loop_.add_timer(*this, until_.deadline);
      }
      if (until_.cancellation != nullptr) {
        until_.cancellation->add(*this);
      }
    }
    [[nodiscard]] Wake await_resume() const { return wake_; }

   private:
    friend class Signal;
    void end(Wake wake) {
      wake_ = wake;
      Timer::unlink();
      CancelHook::unlink();
      signal_.loop_.make_ready(*this);
    }
    void on_timer() override {
      signal_.waiter_ = nullptr;
      end(Wake::timeout);
    }
    void on_cancel() override {
      signal_.waiter_ = nullptr;
      end(Wake::cancelled);
    }
    void resume() override { waiting_.resume(); }

    Signal& signal_;
    Until until_;
    std::coroutine_handle<> waiting_;
    Wake wake_ = Wake::notified;
  };

  Awaiter wait(Until until) { return Awaiter(*this, until); }

 private:
  Loop& loop_;
  Awaiter* waiter_ = nullptr;
  bool notified_ = false;
};

/// Sleeps until the deadline; `cancelled` if the cancellation came first. `Code` as in Result.
inline Task<Wake> sleep(Loop& loop, Until until) {
  Signal nobody(loop);
  const Wake wake = co_await nobody.wait(until);
  co_return wake;
}

inline Code code_of(Wake wake) {
  return wake == Wake::timeout ? Code::timeout : Code::cancelled;
}

}  // namespace weir::platform
