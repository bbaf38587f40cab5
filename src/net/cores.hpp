#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "platform/real_loop.hpp"

namespace weir::net {

/// The loops of this machine's cores, each run by a thread of its own.
///
/// Everything made on a loop is made before start() or on its thread, and destroyed after stop() or on its thread.
class Cores {
 public:
  /// `count` > 0. `inherited`: where the first loop finds listening sockets that are open already.
  explicit Cores(int count, platform::InheritedSockets* inherited = nullptr);
  Cores(const Cores&) = delete;
  Cores& operator=(const Cores&) = delete;
  ~Cores() { stop(); }

  void start();
  /// Stops the loops and joins the threads; safe to call twice.
  void stop();
  [[nodiscard]] std::vector<platform::Loop*> loops();

 private:
  std::vector<std::unique_ptr<platform::RealLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace weir::net
