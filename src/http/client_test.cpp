// The client against a scripted server over simulated sockets: framing, reuse, early answers, limits.
#include "http/client.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

// The lambdas below are kept by the fixture, which outlives every coroutine that they make.
// NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines)
namespace weir::http {
namespace {

using namespace std::chrono_literals;
using platform::Instant;
using platform::SimulatedLoop;
using platform::SimulatedWorld;

/// One connection of the scripted server.
class Peer {
 public:
  Peer(SimulatedLoop& loop, std::unique_ptr<platform::Stream> stream)
      : loop_(loop),
        stream_(std::move(stream)),
        reader_(loop, *stream_, {.bytes_max = std::size_t{8} << 20}),
        writer_(loop, *stream_) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { stream_->close(); }

  /// Reads a request whose body has a length; false when the client closed.
  Task<bool> read_request() {
    reader_.start();
    while (true) {
      const std::string_view bytes = reader_.bytes();
      if (const std::size_t end = bytes.find("\r\n\r\n"); end != std::string_view::npos) {
        const std::size_t at = bytes.find("Content-Length: ");
        const std::size_t length = at < end ? std::stoul(std::string(bytes.substr(at + 16))) : 0;
        if (bytes.size() >= end + 4 + length) {
          requests.emplace_back(bytes.substr(0, end + 4 + length));
          reader_.consume(end + 4 + length);
          co_return true;
        }
      }
      if (!co_await reader_.more(bytes.size(), {})) {
        co_return false;
      }
    }
  }
  Task<void> write(std::string text) {
    const std::string_view slice = text;
    static_cast<void>(co_await writer_.write({&slice, 1}, {}));
  }
  Task<void> pause(platform::Duration time) { co_await platform::sleep(loop_, {.deadline = loop_.now() + time}); }
  void close() { stream_->close(); }
  void abort() { stream_->abort(); }
  void shut() { stream_->shutdown_send(); }

  std::vector<std::string> requests;

 private:
  SimulatedLoop& loop_;
  std::unique_ptr<platform::Stream> stream_;
  platform::ByteReader reader_;
  platform::ByteWriter writer_;
};

class HttpClient : public testing::Test, protected platform::AcceptHandler {
 protected:
  using Script = std::function<Task<void>(Peer&, std::size_t connection)>;

  HttpClient() {
    auto listener = server_loop_.listen({"10.0.0.1", 80}, *this);
    EXPECT_TRUE(listener);
    listener_ = std::move(*listener);
    make_client({});
  }
  void make_client(Client::Options options) {
    options.peer = {"10.0.0.1", 80};
    client_ = std::make_unique<Client>(client_loop_, options);
  }
  void on_accept(std::unique_ptr<platform::Accepted> accepted) override {
    peers_.push_back(std::make_unique<Peer>(server_loop_, accepted->open_on(server_loop_)));
    running_.push_back(std::make_unique<platform::Running>(server_loop_, script_(*peers_.back(), peers_.size() - 1)));
  }

  struct Exchanged {
    std::optional<int> status;
    std::string body;
    std::optional<Code> failed;
    ClientFacts facts;
    Instant done{};
  };
  Task<void> exchange(std::string body, platform::Duration patience, bool fresh, Exchanged& out) {
    const std::string head =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    const std::string_view slice = body;
    const platform::Until until{.deadline = client_loop_.now() + patience};
    auto response = co_await client_->send(head, {&slice, 1}, {.fresh_connection = fresh}, out.facts, until);
    if (!response) {
      out.failed = response.error().code;
      out.done = client_loop_.now();
      co_return;
    }
    out.status = (*response)->head().status;
    while (true) {
      const auto bytes = co_await (*response)->read(until);
      if (!bytes) {
        out.failed = bytes.error().code;
        break;
      }
      if (bytes->empty()) {
        break;
      }
      out.body += *bytes;
    }
    if (distrusts_) {
      (*response)->distrust();
    }
    out.done = client_loop_.now();
  }
  Exchanged ask(std::string body = "hello", platform::Duration patience = 10s, bool fresh = false) {
    Exchanged out;
    const platform::Running running(client_loop_, exchange(std::move(body), patience, fresh, out));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(running.done());
    return out;
  }
  void TearDown() override {
    {
      const platform::Running closing(client_loop_, client_->close());
      world_.run_until([&] { return closing.done(); }, world_.now() + 1h);
      EXPECT_TRUE(closing.done());
    }
    client_.reset();
    running_.clear();
    peers_.clear();
    listener_.reset();
    world_.run(world_.now() + 1min);
    EXPECT_EQ(world_.network().open_streams(), 0U);
  }

  SimulatedWorld world_{1};
  SimulatedLoop& server_loop_ = world_.add_loop("10.0.0.1");
  SimulatedLoop& client_loop_ = world_.add_loop("10.0.0.2");
  Script script_;
  bool distrusts_ = false;  // what it was answered
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<platform::Running>> running_;
  std::unique_ptr<platform::Listener> listener_;
  std::unique_ptr<Client> client_;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(HttpClient, reuses_a_connection_whose_answer_was_read_to_its_end) {
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write(ok);
    co_await peer.read_request();
    co_await peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    co_await peer.read_request();
    co_await peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  };
  EXPECT_EQ(ask().body, "ok");
  const Exchanged second = ask();
  EXPECT_EQ(second.body, "abc");
  EXPECT_TRUE(second.facts.reused_connection);
  EXPECT_EQ(ask().status, 200);
  EXPECT_EQ(world_.network().connections_made(), 1U);
  EXPECT_EQ(client_->idle(), 1U);
}

TEST_F(HttpClient, does_not_reuse_what_said_close_or_too_much_or_ends_by_closing) {
  for (const std::string answer :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"}) {
    SCOPED_TRACE(answer);
    script_ = [answer](Peer& peer, std::size_t) -> Task<void> {
      co_await peer.read_request();
      co_await peer.write(answer);
      co_await peer.pause(1h);
    };
    EXPECT_EQ(ask().body, "ok");
    const Exchanged next = ask();
    EXPECT_EQ(next.body, "ok");
    EXPECT_FALSE(next.facts.reused_connection);
  }
}

TEST_F(HttpClient, does_not_reuse_a_connection_whose_answer_is_not_what_it_should_be) {
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write(ok);
    co_await peer.pause(100ms);
    co_await peer.write("and more than it had said");
    co_await peer.pause(1h);
  };
  distrusts_ = true;
  EXPECT_EQ(ask().body, "ok");
  EXPECT_EQ(client_->idle(), 0U);
  const Exchanged next = ask();
  EXPECT_EQ(next.body, "ok");
  EXPECT_FALSE(next.facts.reused_connection);
}

TEST_F(HttpClient, drops_an_idle_connection_that_speaks_or_closes) {
  script_ = [](Peer& peer, std::size_t connection) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write(ok);
    co_await peer.pause(1s);
    if (connection == 0) {
      co_await peer.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
      co_await peer.pause(1h);
    }
    peer.close();
  };
  EXPECT_EQ(ask().body, "ok");
  world_.run(world_.now() + 5s);
  const Exchanged second = ask();
  EXPECT_EQ(second.body, "ok");
  EXPECT_FALSE(second.facts.reused_connection);
  world_.run(world_.now() + 5s);
  EXPECT_EQ(client_->idle(), 0U);
}

TEST_F(HttpClient, says_when_a_reused_connection_ended_before_any_byte) {
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write(ok);
    co_await peer.read_request();
    peer.abort();
  };
  EXPECT_EQ(ask().body, "ok");
  const Exchanged second = ask();
  EXPECT_TRUE(second.failed.has_value());
  EXPECT_TRUE(second.facts.reused_connection);
  EXPECT_TRUE(second.facts.closed_before_reply);
}

TEST_F(HttpClient, an_interim_answer_is_skipped_and_is_a_reply_all_the_same) {
  script_ = [](Peer& peer, std::size_t connection) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    if (connection == 0) {
      co_await peer.write(ok);
      co_await peer.read_request();
      co_await peer.write("HTTP/1.1 102 Processing\r\n\r\n");
    }
    peer.close();
  };
  EXPECT_EQ(ask().body, "ok");
  const Exchanged second = ask();
  EXPECT_EQ(second.failed, Code::end_of_stream);
  EXPECT_TRUE(second.facts.reused_connection);
  // The provider had begun to work: repeating the request in silence could do its work twice.
  EXPECT_FALSE(second.facts.closed_before_reply);
}

TEST_F(HttpClient, a_switch_to_another_protocol_is_no_answer_and_nothing_to_wait_for) {
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
    co_await peer.pause(1h);
  };
  const Instant began = world_.now();
  EXPECT_EQ(ask("{}", 5min).failed, Code::upstream_malformed);
  EXPECT_LT(world_.now() - began, 2s);
}

TEST_F(HttpClient, takes_an_answer_that_comes_before_the_request_was_read) {
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    // Reads nothing: the request is larger than what the way holds.
    co_await peer.pause(1s);
    co_await peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    co_await peer.pause(1h);
  };
  const Instant began = world_.now();
  const Exchanged early = ask(std::string(std::size_t{1} << 20, 'x'), 5min);
  EXPECT_EQ(early.status, 413);
  EXPECT_EQ(early.body, "big");
  EXPECT_LT(early.done - began, 2s);
  EXPECT_EQ(client_->idle(), 0U);  // the server still waits for the rest of that request
}

TEST_F(HttpClient, goes_on_sending_when_an_interim_answer_comes_early) {
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    co_await peer.pause(1s);
    co_await peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    co_await peer.pause(1s);
    co_await peer.read_request();
    co_await peer.write(ok);
    co_await peer.pause(1h);
  };
  const Exchanged whole = ask(std::string(std::size_t{1} << 20, 'x'), 5min);
  EXPECT_EQ(whole.body, "ok");
  EXPECT_EQ(peers_.front()->requests.size(), 1U);
  EXPECT_EQ(client_->idle(), 1U);
}

TEST_F(HttpClient, gives_up_at_the_deadline_in_every_phase) {
  const std::string large(std::size_t{1} << 20, 'x');
  // Never reads; reads and never answers; stops within the head; stops within the body.
  for (const int phase : {0, 1, 2, 3}) {
    SCOPED_TRACE(phase);
    script_ = [phase](Peer& peer, std::size_t) -> Task<void> {
      if (phase > 0) {
        co_await peer.read_request();
      }
      if (phase > 1) {
        co_await peer.write(phase == 2 ? "HTTP/1.1 200 O" : "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      }
      co_await peer.pause(1h);
    };
    const Instant began = world_.now();
    const Exchanged late = ask(large, 10s);
    EXPECT_EQ(late.failed, Code::timeout);
    EXPECT_GE(late.done - began, 10s);
    EXPECT_LT(late.done - began, 11s);
  }
  EXPECT_EQ(client_->idle(), 0U);
}

TEST_F(HttpClient, tells_a_body_that_ends_early_from_one_that_ends_by_closing) {
  for (const auto& [answer, whole] :
       {std::pair{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", false},
        std::pair{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", false},
        std::pair{"HTTP/1.1 200 OK\r\n\r\nok", true}}) {
    SCOPED_TRACE(answer);
    script_ = [answer](Peer& peer, std::size_t) -> Task<void> {
      co_await peer.read_request();
      co_await peer.write(answer);
      peer.close();
    };
    const Exchanged cut = ask("x", 10s, true);
    EXPECT_EQ(cut.body, "ok");
    EXPECT_EQ(cut.failed, whole ? std::nullopt : std::optional(Code::end_of_stream));
  }
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write("HTTP/1.1 200 OK\r\n\r\nok");
    co_await peer.pause(100ms);
    peer.abort();
  };
  EXPECT_EQ(ask("x", 10s, true).failed, Code::reset);  // a reset is no end, whatever the framing
}

TEST_F(HttpClient, gives_what_came_whole_before_the_framing_broke_however_it_was_cut) {
  const std::string body = "3\r\nabc\r\n3\r\ndef\r\nzz\r\n";
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    SCOPED_TRACE(cut);
    script_ = [&body, cut](Peer& peer, std::size_t) -> Task<void> {
      co_await peer.read_request();
      co_await peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body.substr(0, cut));
      co_await peer.pause(1s);
      co_await peer.write(body.substr(cut));
      co_await peer.pause(1h);
    };
    const Exchanged broken = ask("x", 10s, true);
    EXPECT_EQ(broken.body, "abcdef");
    EXPECT_EQ(broken.failed, Code::upstream_malformed);
  }
  EXPECT_EQ(client_->idle(), 0U);
}

TEST_F(HttpClient, keeps_at_most_its_bound_of_idle_connections_and_for_their_time) {
  make_client({.idle_max = 1, .idle_timeout = 30s});
  script_ = [](Peer& peer, std::size_t) -> Task<void> {
    while (co_await peer.read_request()) {
      co_await peer.pause(1s);
      co_await peer.write(ok);
    }
  };
  Exchanged one;
  Exchanged two;
  const platform::Running first(client_loop_, exchange("x", 10s, false, one));
  const platform::Running second(client_loop_, exchange("x", 10s, false, two));
  world_.run(world_.now() + 5s);
  EXPECT_EQ(one.body + two.body, "okok");
  EXPECT_EQ(client_->idle(), 1U);
  world_.run(world_.now() + 31s);
  EXPECT_EQ(client_->idle(), 0U);
}

TEST_F(HttpClient, reads_a_large_body_whole) {
  std::string body;
  for (int i = 0; i < 500'000; ++i) {
    body.push_back(static_cast<char>('a' + i % 19));
  }
  script_ = [&body](Peer& peer, std::size_t) -> Task<void> {
    co_await peer.read_request();
    co_await peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    co_await peer.pause(1h);
  };
  const Exchanged whole = ask();
  EXPECT_TRUE(whole.body == body);
  EXPECT_EQ(client_->idle(), 1U);
}

}  // namespace
}  // namespace weir::http
// NOLINTEND(cppcoreguidelines-avoid-capturing-lambda-coroutines)
