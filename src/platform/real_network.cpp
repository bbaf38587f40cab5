// Looking up names and dialling on the real machine.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "platform/real_loop.hpp"
#include "platform/real_sockets.hpp"
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

// Lookup and Dialling are shared with Asio's handlers, which may run after the dialler gave up.
struct Lookup {
  explicit Lookup(RealLoop& loop) : done(loop), resolver(loop.context()) {}
  Signal done;
  tcp::resolver resolver;
  boost::system::error_code error;
  std::vector<IpAddress> addresses;
};

struct Dialling {
  explicit Dialling(RealLoop& loop) : done(loop), socket(loop.context()) {}
  Signal done;
  tcp::socket socket;
  boost::system::error_code error;
};

Task<Result<std::unique_ptr<Stream>>> connect(RealLoop& loop, IpAddress address, std::uint16_t port, Until until) {
  auto dialling = std::make_shared<Dialling>(loop);
  dialling->socket.async_connect({to_asio(address), port}, [dialling, &loop](const boost::system::error_code& error) {
    const RealLoop::Turn turn(loop);
    dialling->error = error;
    dialling->done.notify();
  });
  const Wake wake = co_await dialling->done.wait(until);
  if (wake != Wake::notified) {
    boost::system::error_code ignored;
    dialling->socket.close(ignored);
    co_return fail(code_of(wake), fmt::format("connecting to {} took too long", to_string(address, port)));
  }
  if (dialling->error) {
    co_return fail(dial_failure(dialling->error),
                   fmt::format("{}: {}", to_string(address, port), dialling->error.message()));
  }
  boost::system::error_code ignored;
  dialling->socket.non_blocking(true, ignored);
  co_return std::make_unique<RealStream>(loop, dialling->socket.release(ignored), to_string(address, port));
}

WEIR_OWN_FRAME Task<Result<std::unique_ptr<Stream>>> connect_unix(RealLoop& loop, std::string path, Until until) {
  const auto address = UnixAddress::of(path);
  if (!address) {
    co_return std::unexpected(address.error());
  }
  // Such a connect is never under way: it succeeds, fails, or finds the listener's queue full and has to come again.
  constexpr auto knock_again = std::chrono::milliseconds(5);
  while (true) {
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) {
      co_return fail(Code::unreachable, fmt::format("unix:{}: {}", path, std::strerror(errno)));
    }
    if (::connect(socket.get(), address->get(), sizeof(address->address)) == 0) {
      const Wake turn = co_await sleep(loop, {loop.now(), until.cancellation});  // never inside the call
      if (turn == Wake::cancelled) {
        co_return fail(Code::cancelled, fmt::format("connecting to unix:{} was given up", path));
      }
      co_return std::make_unique<RealStream>(loop, socket.release(), "unix:" + path);
    }
    const int error = errno;
    if (error != EAGAIN && error != EINTR) {
      co_return fail(error == ECONNREFUSED ? Code::refused : Code::unreachable,
                     fmt::format("unix:{}: {}", path, std::strerror(error)));
    }
    const Instant again = loop.now() + knock_again;
    const Wake wake = co_await sleep(loop, until.at_most(again));
    if (wake == Wake::cancelled || again >= until.deadline) {
      co_return fail(wake == Wake::cancelled ? Code::cancelled : Code::timeout,
                     fmt::format("connecting to unix:{} took too long", path));
    }
  }
}

}  // namespace

Task<Result<std::vector<IpAddress>>> RealLoop::resolve(const std::string& host, Until until) {
  if (const auto literal = parse_bare_address(host)) {
    co_return std::vector<IpAddress>{*literal};
  }
  auto lookup = std::make_shared<Lookup>(*this);
  lookup->resolver.async_resolve(
      host, "", [lookup, this](const boost::system::error_code& error, const tcp::resolver::results_type& found) {
        const RealLoop::Turn turn(*this);
        lookup->error = error;
        for (const auto& entry : found) {
          if (const auto address = parse_bare_address(entry.endpoint().address().to_string())) {
            lookup->addresses.push_back(*address);
          }
        }
        lookup->done.notify();
      });
  const Wake wake = co_await lookup->done.wait(until);
  if (wake != Wake::notified) {
    lookup->resolver.cancel();
    co_return fail(code_of(wake), fmt::format("looking up {} took too long", host));
  }
  if (lookup->error) {
    co_return fail(Code::unreachable, fmt::format("the name {} does not resolve: {}", host, lookup->error.message()));
  }
  if (lookup->addresses.empty()) {
    co_return fail(Code::unreachable, fmt::format("the name {} has no address", host));
  }
  co_return std::move(lookup->addresses);
}

Task<Result<std::unique_ptr<Stream>>> RealLoop::dial(const Peer& peer, Until until) {
  if (!peer.unix_path.empty()) {
    return connect_unix(*this, peer.unix_path, until);
  }
  if (const auto literal = parse_bare_address(peer.host)) {
    return connect(*this, *literal, peer.port, until);
  }
  return dial_name(peer, until);
}

Task<Result<std::unique_ptr<Stream>>> RealLoop::dial_name(const Peer& peer, Until until) {
  auto addresses = co_await resolve(peer.host, until);
  if (!addresses) {
    co_return std::unexpected(addresses.error());
  }
  Result<std::unique_ptr<Stream>> last = fail(Code::unreachable, "");
  for (const IpAddress& address : *addresses) {
    last = co_await connect(*this, address, peer.port, until);
    if (last || last.error().code == Code::timeout || last.error().code == Code::cancelled) {
      break;
    }
  }
  co_return std::move(last);
}

}  // namespace weir::platform
