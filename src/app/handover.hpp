#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "observe/log.hpp"
#include "platform/process.hpp"

namespace weir::app {

/// Hands the listening sockets over to a new process of this program, started on SIGUSR2: once it says that it serves,
/// this one is told to drain; when it fails, this one goes on and says so.
///
/// Both accept for a moment, from the same queue: no connection is refused and none is lost (docs/decisions). Waits on
/// a thread of its own. Belongs to the main thread; the log outlives it.
class Handover {
 public:
  /// `handed_over` is called on the waiting thread, at most once.
  Handover(observe::Log& log, std::function<void()> handed_over) : log_(log), handed_over_(std::move(handed_over)) {}
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  /// A successor that is not ready yet is stopped.
  ~Handover();

  /// Starts the successor; while one is starting already, only says so.
  void begin(const std::vector<platform::Successor::Socket>& listening);
  [[nodiscard]] bool done() const { return done_; }

 private:
  void say(observe::Level level, std::string_view message);

  observe::Log& log_;
  std::function<void()> handed_over_;
  std::atomic<bool> starting_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace weir::app
