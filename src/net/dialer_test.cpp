// Names, their addresses and how long they hold, over the simulated network.
#include "net/dialer.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::net {
namespace {

using namespace std::chrono_literals;
using platform::Running;
using platform::SimulatedLoop;
using platform::SimulatedWorld;
using platform::Stream;

class Dialling : public testing::Test, protected platform::AcceptHandler {
 protected:
  Dialling() {
    listener_ = std::move(*server_.listen({"10.0.0.1", 80}, *this));
    world_.network().add_name("api.test", "10.0.0.1");
    world_.network().set_link("10.0.0.9", {.dial_silent = 1});
  }
  void TearDown() override {
    const Running closing(loop_, dialer_.close());
    world_.run_until([&] { return closing.done(); }, world_.now() + 1h);
    EXPECT_TRUE(closing.done());
  }
  void on_accept(std::unique_ptr<platform::Accepted> accepted) override {
    accepted_.push_back(accepted->open_on(server_));
  }

  struct Outcome {
    std::unique_ptr<Stream> stream;
    std::optional<Error> error;
    bool done = false;
  };
  Task<void> dial(std::string host, platform::Duration patience, Outcome& out) {
    auto dialled = co_await dialer_.dial({.host = std::move(host), .port = 80}, {.deadline = loop_.now() + patience});
    if (dialled) {
      out.stream = std::move(*dialled);
    } else {
      out.error = dialled.error();
    }
    out.done = true;
  }
  /// Whom it reached, or the code of the failure.
  std::string reach(std::string host, platform::Duration patience = 10s) {
    Outcome out;
    const Running running(loop_, dial(std::move(host), patience, out));
    world_.run_until([&] { return out.done; }, world_.now() + 1h);
    EXPECT_TRUE(out.done);
    return out.stream != nullptr ? out.stream->peer() : std::string(to_string(out.error->code));
  }
  void pass(platform::Duration time) {
    const Running waiting(loop_, wait_for(time));
    world_.run_until([&] { return waiting.done(); });
  }
  Task<void> wait_for(platform::Duration time) { co_await platform::sleep(loop_, {.deadline = loop_.now() + time}); }
  [[nodiscard]] std::uint64_t lookups() { return world_.network().lookups(); }

  SimulatedWorld world_{1};
  SimulatedLoop& server_ = world_.add_loop("10.0.0.1");
  SimulatedLoop& loop_ = world_.add_loop("10.0.0.2");
  std::unique_ptr<platform::Listener> listener_;
  std::vector<std::unique_ptr<Stream>> accepted_;
  Dialer dialer_{loop_, {.name_ttl = 60s}};
};

TEST_F(Dialling, asks_for_a_name_once_while_its_addresses_hold) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(reach("api.test"), "10.0.0.1:80");
  }
  EXPECT_EQ(lookups(), 1U);
  EXPECT_EQ(dialer_.statistics().cache_hits, 2U);
  pass(61s);
  EXPECT_EQ(reach("api.test"), "10.0.0.1:80");
  EXPECT_EQ(lookups(), 2U);
}

TEST_F(Dialling, asks_each_time_where_nothing_may_be_remembered) {
  dialer_.set_options({.name_ttl = 0s});
  EXPECT_EQ(reach("api.test"), "10.0.0.1:80");
  EXPECT_EQ(reach("api.test"), "10.0.0.1:80");
  EXPECT_EQ(lookups(), 2U);
}

TEST_F(Dialling, remembers_no_failure) {
  EXPECT_EQ(reach("new.test"), "unreachable");
  world_.network().add_name("new.test", "10.0.0.1");
  EXPECT_EQ(reach("new.test"), "10.0.0.1:80");
  EXPECT_EQ(dialer_.statistics().failed_lookups, 1U);
}

TEST_F(Dialling, lets_dials_of_one_moment_share_a_lookup_that_outlives_them) {
  std::vector<Outcome> outcomes(5);
  {
    std::vector<std::unique_ptr<Running>> running;
    for (Outcome& outcome : outcomes) {
      running.push_back(std::make_unique<Running>(loop_, dial("api.test", 10s, outcome)));
    }
    world_.run_until([&] { return lookups() > 0; });
    running.front()->drop();  // its caller left; the lookup was his
    world_.run_until([&] { return outcomes.back().done; }, world_.now() + 1h);
    world_.run(world_.now() + 1s);
  }
  EXPECT_EQ(lookups(), 1U);
  EXPECT_EQ(outcomes.front().stream, nullptr);
  for (std::size_t i = 1; i < outcomes.size(); ++i) {
    EXPECT_NE(outcomes[i].stream, nullptr) << i;
  }
}

TEST_F(Dialling, tries_every_address_and_gives_each_its_share_of_the_time) {
  world_.network().add_name("many.test", std::vector<std::string>{"10.0.0.9", "10.0.0.8", "10.0.0.1"});
  const auto began = world_.now();
  EXPECT_EQ(reach("many.test", 9s), "10.0.0.1:80") << "the first is silent, the second refuses";
  EXPECT_LE(world_.now() - began, 4s);
  const auto again = world_.now();
  EXPECT_EQ(reach("many.test", 9s), "10.0.0.1:80");
  EXPECT_LT(world_.now() - again, 1s) << "the one that answered comes first now";
}

TEST_F(Dialling, forgets_a_name_none_of_whose_addresses_answers) {
  EXPECT_EQ(reach("api.test"), "10.0.0.1:80");
  listener_.reset();
  EXPECT_EQ(reach("api.test"), "refused");
  listener_ = std::move(*server_.listen({"10.0.0.7", 80}, *this));
  world_.network().add_name("api.test", "10.0.0.7");
  EXPECT_EQ(reach("api.test"), "10.0.0.7:80") << "it has moved";
}

TEST_F(Dialling, goes_on_with_old_addresses_where_nobody_can_be_asked_but_not_for_ever) {
  EXPECT_EQ(reach("api.test"), "10.0.0.1:80");
  world_.network().remove_name("api.test");
  pass(90s);
  EXPECT_EQ(reach("api.test"), "10.0.0.1:80");
  EXPECT_EQ(dialer_.statistics().stale_hits, 1U);
  pass(60s);
  EXPECT_EQ(reach("api.test"), "unreachable");
}

TEST_F(Dialling, needs_no_lookup_for_an_address) {
  EXPECT_EQ(reach("10.0.0.1"), "10.0.0.1:80");
  EXPECT_EQ(lookups(), 0U);
  EXPECT_EQ(reach("10.0.0.9", 2s), "timeout");
}

}  // namespace
}  // namespace weir::net
