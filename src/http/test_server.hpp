#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/server.hpp"
#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

/// For tests: the server over simulated sockets, and what its clients send and hear.
// The lambdas below are kept by the fixture, which outlives every coroutine that they make.
// NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines)
namespace weir::http {

using namespace std::chrono_literals;
using platform::Instant;
using platform::SimulatedLoop;
using platform::SimulatedWorld;

/// Answers as the test says; refuses with the message as the body.
class ScriptedHandler final : public Handler {
 public:
  using Answer = std::function<Task<void>(const Request&, ResponseWriter&, RequestEnd&)>;
  explicit ScriptedHandler(Answer answer) : answer_(std::move(answer)) {}

  Task<void> handle(const Request& request, ResponseWriter& response, RequestEnd& end) override {
    bodies.emplace_back(request.body);
    return answer_(request, response, end);
  }
  Task<void> refuse(int status, Code code, std::string_view message, std::string_view,
                    ResponseWriter& response) override {
    refusals.push_back(code);
    response.start(status);
    static_cast<void>(co_await response.whole(message));
  }

  std::vector<std::string> bodies;
  std::vector<Code> refusals;

 private:
  Answer answer_;
};

/// What a client sends: text at a time after the connection was made.
struct Saying {
  std::chrono::milliseconds at{0};
  std::string text;
};

/// What it hears, and how the connection ended.
struct Heard {
  std::string text;
  std::optional<Code> ended;
  Instant ended_at{};
  Instant last_at{};
};

inline Task<void> say(SimulatedLoop& loop, platform::ByteWriter& writer, const std::vector<Saying>& sayings) {
  const Instant began = loop.now();
  for (const Saying& saying : sayings) {
    co_await platform::sleep(loop, {.deadline = began + saying.at});
    const std::string_view slice = saying.text;
    if (!co_await writer.write({&slice, 1}, {})) {
      co_return;
    }
  }
}

inline Task<void> listen_to(platform::ByteReader& reader, SimulatedLoop& loop, Heard& heard) {
  while (true) {
    const auto more = co_await reader.more(0, {});
    heard.text += reader.bytes();
    heard.last_at = reader.bytes().empty() ? heard.last_at : loop.now();
    reader.consume(reader.bytes().size());
    if (!more) {
      heard.ended = more.error();
      heard.ended_at = loop.now();
      co_return;
    }
  }
}

class Server : public testing::Test {
 protected:
  static constexpr std::uint16_t port = 8000;

  void serve(ScriptedHandler::Answer answer, ServerOptions options = {}) {
    handler_ = std::make_unique<ScriptedHandler>(std::move(answer));
    core_ = std::make_unique<ServerCore>(
        server_loop_, *handler_, budget_, options,
        [this](std::string_view, const std::string& what) { failures_.push_back(what); }, &peers_, shares_.get());
    acceptor_ = std::make_unique<Acceptor>(std::vector<ServerCore*>{core_.get()});
    auto listener = server_loop_.listen({"10.0.0.1", port}, *acceptor_);
    ASSERT_TRUE(listener);
    listener_ = std::move(*listener);
  }
  /// A handler that answers each request with its method, target and body.
  void serve_echo(ServerOptions options = {}) {
    serve(
        [](const Request& request, ResponseWriter& response, RequestEnd&) -> Task<void> {
          std::string body(request.head.method_text);
          body.append(" ").append(request.head.target_text).append(" [").append(request.body).append("]");
          response.start(200);
          response.field("content-type", "text/plain");
          static_cast<void>(co_await response.whole(body));
        },
        options);
  }

  /// A client that sends and listens until the server closes, or the time is over.
  class Client {
   public:
    /// Hears nothing for the first `deaf_for`.
    Client(SimulatedLoop& loop, std::vector<Saying> sayings, platform::Duration deaf_for = {})
        : sayings_(std::move(sayings)), running_(loop, talk(loop, deaf_for)) {}
    Heard heard;
    void leave() {
      running_.drop();
      stream_->close();
    }

   private:
    Task<void> talk(SimulatedLoop& loop, platform::Duration deaf_for) {
      auto dialled = co_await loop.dial({"10.0.0.1", port}, {});
      if (!dialled) {
        heard.ended = dialled.error().code;
        co_return;
      }
      stream_ = std::move(*dialled);
      reader_.emplace(loop, *stream_, platform::ByteReader::Options{});
      writer_.emplace(loop, *stream_);
      const platform::Running speaking(loop, say(loop, *writer_, sayings_));
      co_await platform::sleep(loop, {.deadline = loop.now() + deaf_for});
      reader_->start();
      co_await listen_to(*reader_, loop, heard);
      stream_->close();
    }
    std::vector<Saying> sayings_;
    std::unique_ptr<platform::Stream> stream_;
    std::optional<platform::ByteReader> reader_;
    std::optional<platform::ByteWriter> writer_;
    platform::Running running_;
  };

  Heard talk(std::vector<Saying> sayings, platform::Duration patience = 1h) {
    Client client(client_loop_, std::move(sayings));
    world_.run_until([&] { return client.heard.ended.has_value(); }, world_.now() + patience);
    return client.heard;
  }
  Heard talk(std::string text, platform::Duration patience = 1h) {
    return talk({Saying{.text = std::move(text)}}, patience);
  }

  void drain(platform::Duration grace = 0s) {
    listener_.reset();
    const platform::Running draining(server_loop_, core_->drain(world_.now() + grace));
    world_.run_until([&] { return draining.done(); }, world_.now() + 1h);
    ASSERT_TRUE(draining.done());
    EXPECT_EQ(core_->load().load(), 0);
    EXPECT_EQ(budget_.used(), 0U);
  }
  void TearDown() override {
    if (core_ && listener_) {
      drain();
    }
    world_.run(world_.now() + 1min);
    EXPECT_EQ(world_.network().open_streams(), 0U);
  }

  SimulatedWorld world_{1};
  SimulatedLoop& server_loop_ = world_.add_loop("10.0.0.1");
  SimulatedLoop& client_loop_ = world_.add_loop("10.0.0.2");
  platform::MemoryBudget budget_{std::size_t{8} << 20};
  PeerConnections peers_;
  std::unique_ptr<platform::SharedBudget> shares_ = std::make_unique<platform::SharedBudget>(std::size_t{8} << 20, 1);
  std::unique_ptr<ScriptedHandler> handler_;
  std::unique_ptr<ServerCore> core_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<platform::Listener> listener_;
  std::vector<std::string> failures_;
};

inline std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

inline std::string post(std::string_view body, std::string_view more_fields = {}) {
  return "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more_fields) + "\r\n" + std::string(body);
}

}  // namespace weir::http
// NOLINTEND(cppcoreguidelines-avoid-capturing-lambda-coroutines)
