#include <gtest/gtest.h>

#include "app/config_load.hpp"
#include "app/node.hpp"
#include "observe/silent_log.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const Config> config_of(const std::string& text) {
  const ConfigOutcome outcome = parse_config(text, "weir.yaml", {}, {});
  EXPECT_TRUE(outcome.config);
  return std::make_shared<const Config>(outcome.config.value_or(Config{}));
}

class NodeReload : public testing::Test {
 protected:
  ~NodeReload() override {
    bool stopped = false;
    node_.shut_down({.grace = 1s}, [&] { stopped = true; });
    run_until(stopped);
    EXPECT_TRUE(stopped);
  }
  void run_until(const bool& done) {
    world_.run_until([&] { return done; }, world_.now() + 1min, 100'000);
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& first_ = world_.add_loop("10.0.0.1");
  platform::SimulatedLoop& second_ = world_.add_loop("10.0.0.1");
  observe::SilentLog log_;
  std::shared_ptr<const Config> before_ = config_of("providers: {m: {dialect: mock}}\nmodels: {x: m/a}\n");
  std::shared_ptr<const Config> after_ = config_of("providers: {n: {dialect: mock}}\nmodels: {y: n/a}\n");
  Node node_{{&first_, &second_}, before_, log_};
};

TEST_F(NodeReload, asks_every_hook_and_then_lets_all_of_them_act) {
  std::vector<std::string> told;
  for (const std::string name : {"a", "b"}) {
    node_.on_reload([&, name](const Config& config) -> Result<std::function<void()>> {
      EXPECT_EQ(&config, after_.get());
      told.push_back("prepare " + name);
      return [&, name] { told.push_back("act " + name); };
    });
  }
  bool done = false;
  ASSERT_TRUE(node_.reload(after_, [&] { done = true; }));
  EXPECT_EQ(told, (std::vector<std::string>{"prepare a", "prepare b"})) << "nothing acts before all agreed";
  run_until(done);
  EXPECT_TRUE(done);
  EXPECT_EQ(told, (std::vector<std::string>{"prepare a", "prepare b", "act a", "act b"}));
}

TEST_F(NodeReload, is_rejected_as_a_whole_when_one_hook_cannot_follow) {
  bool acted = false;
  node_.on_reload([&](const Config&) -> Result<std::function<void()>> { return [&] { acted = true; }; });
  node_.on_reload([](const Config&) -> Result<std::function<void()>> {
    return fail(Code::io_error, "cert.pem: No such file or directory");
  });
  bool done = false;
  const auto accepted = node_.reload(after_, [&] { done = true; });
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().message, "cert.pem: No such file or directory");
  world_.run_until([&] { return done; }, world_.now() + 1s, 100'000);
  EXPECT_FALSE(done);
  EXPECT_FALSE(acted);
}

}  // namespace
}  // namespace weir::app
