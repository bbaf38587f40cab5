// Dialling and listening on the real machine.
#include <fmt/format.h>

#include "platform/real_loop.hpp"
#include "platform/real_stream.hpp"
#include "platform/signal.hpp"

namespace weir::platform {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

Code dial_failure(const boost::system::error_code& error) {
  if (error == asio::error::connection_refused) {
    return Code::refused;
  }
  if (error == asio::error::connection_reset || error == asio::error::connection_aborted) {
    return Code::reset;
  }
  return Code::unreachable;
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                    : fmt::format("{}:{}", address, endpoint.port());
}

// Lookup and Dialling are shared with Asio's handlers, which may run after the dialler gave up.
struct Lookup {
  explicit Lookup(RealLoop& loop) : done(loop), resolver(loop.context()) {}
  Signal done;
  tcp::resolver resolver;
  boost::system::error_code error;
  std::vector<tcp::endpoint> endpoints;
};

Task<Result<std::vector<tcp::endpoint>>> resolve(RealLoop& loop, const Peer& peer, Until until) {
  boost::system::error_code not_literal;
  const asio::ip::address literal = asio::ip::make_address(peer.host, not_literal);
  if (!not_literal) {
    co_return std::vector<tcp::endpoint>{{literal, peer.port}};
  }
  auto lookup = std::make_shared<Lookup>(loop);
  lookup->resolver.async_resolve(
      peer.host, std::to_string(peer.port), asio::ip::resolver_base::numeric_service,
      [lookup, &loop](const boost::system::error_code& error, const tcp::resolver::results_type& found) {
        const RealLoop::Turn turn(loop);
        lookup->error = error;
        for (const auto& entry : found) {
          lookup->endpoints.push_back(entry.endpoint());
        }
        lookup->done.notify();
      });
  const Wake wake = co_await lookup->done.wait(until);
  if (wake != Wake::notified) {
    lookup->resolver.cancel();
    co_return fail(code_of(wake), fmt::format("looking up {} took too long", peer.host));
  }
  if (lookup->error) {
    co_return fail(Code::unreachable,
                   fmt::format("the name {} does not resolve: {}", peer.host, lookup->error.message()));
  }
  co_return std::move(lookup->endpoints);
}

struct Dialling {
  explicit Dialling(RealLoop& loop) : done(loop), socket(loop.context()) {}
  Signal done;
  tcp::socket socket;
  boost::system::error_code error;
};

Task<Result<std::unique_ptr<Stream>>> connect(RealLoop& loop, tcp::endpoint endpoint, Until until) {
  auto dialling = std::make_shared<Dialling>(loop);
  dialling->socket.async_connect(endpoint, [dialling, &loop](const boost::system::error_code& error) {
    const RealLoop::Turn turn(loop);
    dialling->error = error;
    dialling->done.notify();
  });
  const Wake wake = co_await dialling->done.wait(until);
  if (wake != Wake::notified) {
    boost::system::error_code ignored;
    dialling->socket.close(ignored);
    co_return fail(code_of(wake), fmt::format("connecting to {} took too long", text_of(endpoint)));
  }
  if (dialling->error) {
    co_return fail(dial_failure(dialling->error), fmt::format("{}: {}", text_of(endpoint), dialling->error.message()));
  }
  boost::system::error_code ignored;
  dialling->socket.non_blocking(true, ignored);
  co_return std::make_unique<RealStream>(loop, dialling->socket.release(ignored), text_of(endpoint));
}

class RealAccepted final : public Accepted {
 public:
  RealAccepted(int descriptor, tcp::endpoint peer) : descriptor_(descriptor), peer_(std::move(peer)) {}
  RealAccepted(const RealAccepted&) = delete;
  RealAccepted& operator=(const RealAccepted&) = delete;
  ~RealAccepted() override {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  std::unique_ptr<Stream> open_on(Loop& loop) override {
    // Accepted connections and loops come from the same platform: the real one.
    auto& real = static_cast<RealLoop&>(loop);  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast)
    return std::make_unique<RealStream>(real, std::exchange(descriptor_, -1), text_of(peer_));
  }

 private:
  int descriptor_;
  tcp::endpoint peer_;
};

class RealListener final : public Listener {
 public:
  RealListener(RealLoop& loop, tcp::acceptor acceptor, AcceptHandler& handler)
      : state_(std::make_shared<State>(loop, std::move(acceptor), handler)) {
    accept(state_);
  }
  RealListener(const RealListener&) = delete;
  RealListener& operator=(const RealListener&) = delete;
  ~RealListener() override {
    state_->closed = true;
    // Not close(): where another process has the same socket, Asio would leave it in our epoll set.
    boost::system::error_code ignored;
    const int descriptor = state_->acceptor.release(ignored);
    state_->pause.cancel();
    if (descriptor >= 0) {
      take_what_waits(descriptor);
      ::close(descriptor);
    }
  }
  [[nodiscard]] std::uint16_t port() const override { return state_->local.port(); }
  [[nodiscard]] std::string address() const override { return text_of(state_->local); }
  [[nodiscard]] int descriptor() const override { return state_->acceptor.native_handle(); }

 private:
  struct State {
    State(RealLoop& on, tcp::acceptor from, AcceptHandler& to)
        : loop(on), acceptor(std::move(from)), handler(to), pause(on.context()) {
      boost::system::error_code ignored;
      local = acceptor.local_endpoint(ignored);
    }
    RealLoop& loop;
    tcp::acceptor acceptor;
    AcceptHandler& handler;
    asio::steady_timer pause;
    tcp::endpoint local;
    tcp::endpoint peer;
    bool closed = false;
  };

  /// Who is in the queue is connected, and may have sent his request: closing would reset him.
  void take_what_waits(int descriptor) {
    while (true) {
      tcp::endpoint peer;
      auto length = static_cast<socklen_t>(peer.capacity());
      const int accepted = ::accept4(descriptor, peer.data(), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (accepted < 0) {
        break;
      }
      peer.resize(length);
      state_->handler.on_accept(std::make_unique<RealAccepted>(accepted, peer));
    }
  }

  static void accept(const std::shared_ptr<State>& state) {
    state->acceptor.async_accept(state->peer, [state](const boost::system::error_code& error, tcp::socket socket) {
      if (state->closed && error) {
        return;
      }
      const RealLoop::Turn turn(state->loop);
      if (error) {
        // Mostly: no file descriptor left. The connections that end give theirs back.
        state->pause.expires_after(std::chrono::milliseconds(100));
        state->pause.async_wait([state](const boost::system::error_code&) {
          if (!state->closed) {
            accept(state);
          }
        });
        return;
      }
      boost::system::error_code ignored;
      const int descriptor = socket.release(ignored);
      state->handler.on_accept(std::make_unique<RealAccepted>(descriptor, state->peer));
      if (!state->closed) {
        accept(state);
      }
    });
  }

  std::shared_ptr<State> state_;
};

}  // namespace

Task<Result<std::unique_ptr<Stream>>> RealLoop::dial(const Peer& peer, Until until) {
  auto endpoints = co_await resolve(*this, peer, until);
  if (!endpoints) {
    co_return std::unexpected(endpoints.error());
  }
  Result<std::unique_ptr<Stream>> last = fail(Code::unreachable, fmt::format("the name {} has no address", peer.host));
  for (const tcp::endpoint& endpoint : *endpoints) {
    last = co_await connect(*this, endpoint, until);
    if (last || last.error().code == Code::timeout || last.error().code == Code::cancelled) {
      break;
    }
  }
  co_return std::move(last);
}

Result<std::unique_ptr<Listener>> RealLoop::listen(const Peer& at, AcceptHandler& handler) {
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host, error);
  if (error) {
    return fail(Code::invalid_request, fmt::format("cannot listen on {}: it is not an IP address", at.host));
  }
  const tcp::endpoint endpoint(address, at.port);
  tcp::acceptor acceptor(context_);
  auto step = [&](auto&& action) {
    if (!error) {
      action();
    }
  };
  const int inherited = inherited_ != nullptr ? inherited_->take(address.to_string(), at.port) : -1;
  if (inherited >= 0) {
    step([&] { acceptor.assign(endpoint.protocol(), inherited, error); });
  } else {
    step([&] { acceptor.open(endpoint.protocol(), error); });
    step([&] { acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
    step([&] { acceptor.bind(endpoint, error); });
    step([&] { acceptor.listen(asio::socket_base::max_listen_connections, error); });
  }
  if (error) {
    return fail(Code::io_error, fmt::format("cannot listen on {}: {}", text_of(endpoint), error.message()));
  }
  return std::make_unique<RealListener>(*this, std::move(acceptor), handler);
}

}  // namespace weir::platform
