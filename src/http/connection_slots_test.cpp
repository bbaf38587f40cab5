// Clients of two cores share the connections that may be open to one server.
#include "http/connection_slots.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "http/client.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::http {
namespace {

using namespace std::chrono_literals;
using platform::Running;
using platform::SimulatedLoop;
using platform::SimulatedWorld;

/// A server that answers each request after a while, and knows how many connections it has.
class SlowServer final : platform::AcceptHandler {
 public:
  SlowServer(SimulatedLoop& loop, platform::Duration thinks) : loop_(loop), thinks_(thinks) {
    listener_ = std::move(*loop.listen({"10.0.0.1", 80}, *this));
  }
  SlowServer(const SlowServer&) = delete;
  SlowServer& operator=(const SlowServer&) = delete;
  virtual ~SlowServer() = default;

  std::size_t open = 0;
  std::size_t most_open = 0;
  std::size_t made = 0;

 private:
  void on_accept(std::unique_ptr<platform::Accepted> accepted) override {
    running_.push_back(std::make_unique<Running>(loop_, serve(accepted->open_on(loop_))));
  }
  Task<void> serve(std::unique_ptr<platform::Stream> stream) {
    ++made;
    most_open = std::max(most_open, ++open);
    platform::ByteReader reader(loop_, *stream, {});
    platform::ByteWriter writer(loop_, *stream);
    reader.start();
    while (true) {
      const std::string_view bytes = reader.bytes();
      const std::size_t end = bytes.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        const auto more = co_await reader.more(bytes.size(), {});
        if (!more) {
          break;
        }
        continue;
      }
      reader.consume(end + 4);
      co_await platform::sleep(loop_, {.deadline = loop_.now() + thinks_});
      const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      static_cast<void>(co_await writer.write({&answer, 1}, {}));
    }
    --open;
    stream->close();
  }

  SimulatedLoop& loop_;
  platform::Duration thinks_;
  std::unique_ptr<platform::Listener> listener_;
  std::vector<std::unique_ptr<Running>> running_;
};

class SharedConnections : public testing::Test {
 protected:
  struct Call {
    std::optional<int> status;
    std::optional<Error> error;
    ClientFacts facts;
    platform::Instant ended{};
    bool done = false;
    std::unique_ptr<Running> running;
  };

  void make_clients(std::size_t open_max, std::size_t waiting_max = 1000, std::size_t idle_max = 30) {
    slots_ = std::make_shared<ConnectionSlots>(open_max, waiting_max);
    for (SimulatedLoop* loop : {&first_, &second_}) {
      clients_.push_back(std::make_unique<Client>(
          *loop, Client::Options{.peer = {"10.0.0.1", 80}, .slots = slots_, .idle_max = idle_max}));
    }
  }
  SimulatedLoop& loop_of(std::size_t core) { return core == 0 ? first_ : second_; }
  Task<void> ask(std::size_t core, platform::Duration patience, platform::Duration to_connect, Call& call) {
    SimulatedLoop& loop = loop_of(core);
    const platform::Until until{.deadline = loop.now() + patience};
    auto response = co_await clients_[core]->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {},
                                                  {.method = Method::get, .connect_deadline = loop.now() + to_connect},
                                                  call.facts, until);
    if (response) {
      call.status = (*response)->head().status;
      while (true) {
        const auto bytes = co_await (*response)->read(until);
        if (!bytes || bytes->empty()) {
          break;
        }
      }
    } else {
      call.error = response.error();
    }
    call.ended = loop.now();
    call.done = true;
  }
  Call& start(std::size_t core, platform::Duration patience = 1h, platform::Duration to_connect = 10s) {
    calls_.push_back(std::make_unique<Call>());
    Call& call = *calls_.back();
    call.running = std::make_unique<Running>(loop_of(core), ask(core, patience, to_connect, call));
    return call;
  }
  void pass(platform::Duration time) {
    const Running waiting(there_, wait_for(time));
    world_.run_until([&] { return waiting.done(); });
  }
  Task<void> wait_for(platform::Duration time) { co_await platform::sleep(there_, {.deadline = there_.now() + time}); }
  void finish() {
    world_.run_until([&] { return std::ranges::all_of(calls_, [](const auto& call) { return call->done; }); },
                     world_.now() + 10h);
    for (const auto& call : calls_) {
      EXPECT_TRUE(call->done) << "it waits for ever";
    }
  }
  void TearDown() override {
    calls_.clear();
    for (std::size_t core = 0; core < clients_.size(); ++core) {
      const Running closing(loop_of(core), clients_[core]->close());
      world_.run_until([&] { return closing.done(); }, world_.now() + 1h);
      EXPECT_TRUE(closing.done());
    }
    clients_.clear();
    pass(1s);
    if (slots_ != nullptr) {
      EXPECT_FALSE(slots_->wanted());
    }
  }

  SimulatedWorld world_{1};
  SimulatedLoop& there_ = world_.add_loop("10.0.0.1");
  SimulatedLoop& first_ = world_.add_loop("10.0.0.2");
  SimulatedLoop& second_ = world_.add_loop("10.0.0.2");
  SlowServer server_{there_, 100ms};
  std::shared_ptr<ConnectionSlots> slots_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Call>> calls_;
};

TEST_F(SharedConnections, are_never_more_than_may_be_open_and_every_call_has_its_turn) {
  make_clients(3);
  for (int i = 0; i < 40; ++i) {
    start(static_cast<std::size_t>(i % 2));
  }
  pass(50ms);
  EXPECT_EQ(clients_[0]->statistics().waiting + clients_[1]->statistics().waiting, 37U);
  finish();
  for (const auto& call : calls_) {
    EXPECT_EQ(call->status, 200);
  }
  EXPECT_EQ(server_.most_open, 3U);
  EXPECT_LE(server_.made, 12U) << "a connection that becomes free is mostly used again";
  EXPECT_EQ(clients_[0]->statistics().waiting, 0U);
}

TEST_F(SharedConnections, do_not_stay_idle_on_one_core_while_another_waits) {
  make_clients(2);
  start(0);
  start(0);
  finish();
  EXPECT_EQ(clients_[0]->idle(), 2U);
  const auto began = world_.now();
  start(1);
  finish();
  EXPECT_EQ(calls_.back()->status, 200);
  EXPECT_LT(world_.now() - began, 1s) << "not the idle timeout";
  EXPECT_EQ(clients_[0]->idle(), 1U);
  EXPECT_EQ(server_.most_open, 2U);
}

TEST_F(SharedConnections, let_a_busy_core_not_starve_its_neighbour) {
  make_clients(1);
  for (int i = 0; i < 30; ++i) {
    start(0);
  }
  pass(20ms);
  const Call& neighbour = start(1);
  for (int i = 0; i < 30; ++i) {
    start(0);
  }
  pass(20ms);
  const auto began = world_.now();
  world_.run_until([&] { return neighbour.done; }, world_.now() + 1h);
  EXPECT_EQ(neighbour.status, 200);
  EXPECT_LT(world_.now() - began, 40 * 100ms + 1s) << "those before him, and few of those behind";
  finish();
  EXPECT_EQ(server_.most_open, 1U);
}

TEST_F(SharedConnections, are_waited_for_as_long_as_the_call_may_take_which_then_names_the_option) {
  make_clients(1);
  start(0);
  pass(20ms);
  start(0, 30ms);
  Call& patient = start(0, 1h, 10ms);
  finish();
  ASSERT_TRUE(calls_[1]->error);
  EXPECT_EQ(calls_[1]->error->code, Code::overloaded) << "the server was not slow";
  EXPECT_NE(calls_[1]->error->message.find("http_client.pool_limits.max_connections"), std::string::npos);
  EXPECT_EQ(patient.status, 200) << "the wait is no part of the time to connect";
}

TEST_F(SharedConnections, are_waited_for_by_so_many_and_no_more) {
  make_clients(1, 2);
  for (int i = 0; i < 4; ++i) {
    start(0);
    pass(1ms);
  }
  finish();
  ASSERT_TRUE(calls_[3]->error);
  EXPECT_EQ(calls_[3]->error->code, Code::overloaded);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(calls_[i]->status, 200);
  }
}

TEST_F(SharedConnections, go_on_to_the_next_where_somebody_stopped_waiting) {
  make_clients(1);
  start(0);
  pass(20ms);
  Call& leaver = start(1);
  start(0);
  pass(10ms);
  leaver.running->drop();
  leaver.done = true;
  finish();
  EXPECT_EQ(calls_[2]->status, 200);
  EXPECT_EQ(clients_[1]->statistics().waiting, 0U);
}

TEST_F(SharedConnections, come_back_where_somebody_left_while_the_news_was_on_its_way_to_him) {
  make_clients(1);
  start(0);
  pass(20ms);
  Call& leaver = start(1);
  pass(5ms);
  ASSERT_TRUE(slots_->wanted());
  world_.run_until([&] { return !slots_->wanted(); }, world_.now() + 1h);
  leaver.running->drop();
  leaver.done = true;
  start(0);
  finish();
  EXPECT_EQ(calls_.back()->status, 200);
}

TEST_F(SharedConnections, become_more_when_the_limit_grows) {
  make_clients(1);
  for (int i = 0; i < 3; ++i) {
    start(0);
  }
  pass(20ms);
  EXPECT_EQ(server_.open, 1U);
  slots_->limit(3);
  pass(20ms);
  EXPECT_EQ(server_.open, 3U);
  slots_->limit(1);
  finish();
  start(1);
  finish();
  EXPECT_EQ(calls_.back()->status, 200);
  EXPECT_LE(server_.open, 2U) << "an idle one was asked back";
}

TEST_F(SharedConnections, give_their_place_back_whatever_becomes_of_them) {
  make_clients(1, 1000, 0);
  start(0, 10ms);  // times out before the answer
  finish();
  EXPECT_EQ(calls_.back()->error->code, Code::timeout);
  for (int i = 0; i < 3; ++i) {
    start(1);  // nothing is kept alive
  }
  finish();
  EXPECT_EQ(calls_.back()->status, 200);
}

}  // namespace
}  // namespace weir::http
