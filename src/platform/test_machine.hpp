#pragma once

#include <functional>
#include <memory>
#include <string>

#include "platform/files.hpp"
#include "platform/loop.hpp"
#include "platform/signal.hpp"
#include "platform/sim/running.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

/// A machine for the contract suite: the same tests run on the real one and on simulated ones.
class TestMachine {
 public:
  virtual ~TestMachine() = default;
  [[nodiscard]] virtual Loop& loop() = 0;
  /// Runs the loop until `body` has ended; fails the test when it hangs.
  virtual void run(Task<void> body) = 0;
  /// Posts to the loop from another thread, or from another loop where there is one thread only.
  virtual void post_from_elsewhere(std::move_only_function<void()> work) = 0;
  /// A place that neither accepts nor refuses.
  [[nodiscard]] virtual Peer silent_peer() = 0;
  [[nodiscard]] virtual bool time_is_exact() const = 0;
  [[nodiscard]] virtual Files& files() = 0;
  /// An empty directory of this machine's own.
  [[nodiscard]] virtual std::string directory() = 0;
};

std::unique_ptr<TestMachine> real_machine();
std::unique_ptr<TestMachine> simulated_machine();
/// A lawful network at its roughest: all in pieces, late and reordered, but without resets, losses and stalls.
std::unique_ptr<TestMachine> rough_machine(std::uint64_t seed);

}  // namespace weir::platform
