// The machines on which contract*_test.cpp run.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "platform/real_files.hpp"
#include "platform/real_loop.hpp"
#include "platform/sim/simulated_files.hpp"
#include "platform/sim/simulated_world.hpp"
#include "platform/test_machine.hpp"

namespace weir::platform {
namespace {

class RealMachine final : public TestMachine {
 public:
  RealMachine() {
    std::string pattern = testing::TempDir() + "/weir-contract-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  RealMachine(const RealMachine&) = delete;
  RealMachine& operator=(const RealMachine&) = delete;
  ~RealMachine() override {
    std::filesystem::remove_all(directory_);
    for (const int descriptor : {silent_, filler_}) {
      if (descriptor >= 0) {
        ::close(descriptor);
      }
    }
  }
  Loop& loop() override { return loop_; }
  void run(Task<void> body) override {
    // Not a time that anything is measured by: only so that a hang ends as a failure.
    const Running guard(loop_, stop_after(std::chrono::minutes(2)));
    const Running running(loop_, stop_after(std::move(body)));
    loop_.run();
    EXPECT_TRUE(running.done()) << "the test hangs";
  }
  void post_from_elsewhere(std::move_only_function<void()> work) override {
    std::thread([this, work = std::move(work)]() mutable { loop_.post(std::move(work)); }).join();
  }
  Peer silent_peer() override {
    // A listener whose queue has room for one connection, and holds it: the system drops whatever else knocks.
    if (silent_ < 0) {
      silent_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      filler_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in at{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
      socklen_t size = sizeof at;
      auto* address = reinterpret_cast<sockaddr*>(&at);
      EXPECT_EQ(::bind(silent_, address, size), 0);
      EXPECT_EQ(::getsockname(silent_, address, &size), 0);
      EXPECT_EQ(::listen(silent_, 0), 0);
      EXPECT_EQ(::connect(filler_, address, size), 0);
      silent_port_ = ntohs(at.sin_port);
    }
    return {"127.0.0.1", silent_port_};
  }
  bool time_is_exact() const override { return false; }
  Files& files() override { return files_; }
  std::string directory() override { return directory_; }

 private:
  Task<void> stop_after(Task<void> body) {
    co_await std::move(body);
    loop_.stop();
  }
  Task<void> stop_after(Duration delay) {
    co_await sleep(loop_, {.deadline = loop_.now() + delay});
    loop_.stop();
  }

  RealLoop loop_;
  RealFiles files_;
  std::string directory_;
  int silent_ = -1;
  int filler_ = -1;
  std::uint16_t silent_port_ = 0;
};

class SimulatedMachine final : public TestMachine {
 public:
  SimulatedMachine(std::uint64_t seed, WorldFaults world, LinkFaults link) : world_(seed, world), files_(seed) {
    world_.network().set_default_link(link);
    world_.network().set_link("10.0.0.99", {.dial_silent = 1});
    EXPECT_TRUE(files_.make_directory("contract").has_value());
  }
  Loop& loop() override { return loop_; }
  void run(Task<void> body) override {
    const Running running(loop_, std::move(body));
    const auto stopped = world_.run_until([&] { return running.done(); }, world_.now() + std::chrono::hours(1));
    EXPECT_EQ(stopped, SimulatedWorld::Stopped::satisfied) << "the test hangs";
    EXPECT_EQ(world_.network().open_streams(), 0U);
  }
  void post_from_elsewhere(std::move_only_function<void()> work) override {
    elsewhere_.post([this, work = std::move(work)]() mutable { loop_.post(std::move(work)); });
  }
  Peer silent_peer() override { return {"10.0.0.99", 80}; }
  bool time_is_exact() const override { return true; }
  Files& files() override { return files_; }
  std::string directory() override { return "contract"; }

 private:
  SimulatedWorld world_;
  SimulatedLoop& loop_ = world_.add_loop("127.0.0.1");
  SimulatedLoop& elsewhere_ = world_.add_loop("127.0.0.1");
  SimulatedFiles files_;
};

}  // namespace

std::unique_ptr<TestMachine> real_machine() {
  return std::make_unique<RealMachine>();
}

std::unique_ptr<TestMachine> simulated_machine() {
  return std::make_unique<SimulatedMachine>(1, WorldFaults(), LinkFaults());
}

std::unique_ptr<TestMachine> rough_machine(std::uint64_t seed) {
  using namespace std::chrono_literals;
  return std::make_unique<SimulatedMachine>(
      seed, WorldFaults{.reorder = true, .hold = 0.3, .wake_delay = {0us, 100us}, .clock_jump = 0.01},
      LinkFaults{.latency = {10us, 2ms},
                 .capacity = {1000, 200'000},
                 .partial_read = 0.3,
                 .partial_write = 0.3,
                 .split = 0.3,
                 .spurious_wake = 0.5,
                 .late_close = 0.5,
                 .late_close_by = {0us, 20ms},
                 .reset_discards = 0.5});
}

}  // namespace weir::platform
