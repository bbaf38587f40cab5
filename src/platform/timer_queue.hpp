#pragma once

#include <boost/intrusive/set.hpp>

#include "platform/clock.hpp"

namespace weir::platform {

/// Called once when its time has come; unlinks itself when destroyed. An rb-tree node: arming and disarming cost no
/// allocation and, since most deadlines never pass, almost always no system call.
class Timer : public boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  [[nodiscard]] Instant due() const { return due_; }
  virtual void on_timer() = 0;
  friend bool operator<(const Timer& a, const Timer& b) { return a.due_ < b.due_; }

 protected:
  ~Timer() = default;

 private:
  friend class TimerQueue;
  Instant due_ = never;
};

/// The timers of one loop, ordered by time and, for equal times, by when they were added. No clock, no thread of its
/// own.
class TimerQueue {
 public:
  /// `due` must not be `never`; a timer that is already queued is moved.
  void add(Timer& timer, Instant due) {
    timer.unlink();
    timer.due_ = due;
    timers_.insert(timer);
  }
  /// When the earliest is due; `never` if there is none.
  [[nodiscard]] Instant next() const { return timers_.empty() ? never : timers_.begin()->due(); }
  /// Calls every timer that is due at `now`.
  void fire(Instant now) {
    while (!timers_.empty() && timers_.begin()->due() <= now) {
      Timer& timer = *timers_.begin();
      timer.unlink();
      timer.on_timer();
    }
  }

 private:
  boost::intrusive::multiset<Timer, boost::intrusive::constant_time_size<false>> timers_;
};

}  // namespace weir::platform
