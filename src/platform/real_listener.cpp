// Listening on the real machine.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "platform/real_loop.hpp"
#include "platform/real_sockets.hpp"
#include "platform/real_stream.hpp"

namespace weir::platform {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// What the system calls an end of a connection.
std::string text_of(const sockaddr_storage& end) {
  if (end.ss_family == AF_UNIX) {
    return "unix:";  // clients have no name
  }
  IpAddress address;
  if (end.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(end);
    std::memcpy(address.bytes.data(), &v6.sin6_addr, address.bytes.size());
    return to_string(address, ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(end);
  address.bytes[10] = address.bytes[11] = 0xff;
  std::memcpy(address.bytes.data() + 12, &v4.sin_addr, 4);
  return to_string(address, ntohs(v4.sin_port));
}

class RealAccepted final : public Accepted {
 public:
  RealAccepted(int descriptor, const sockaddr_storage& peer) : descriptor_(descriptor), peer_(peer) {}
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
  sockaddr_storage peer_;
};

/// A file that a Unix socket was bound to: who it is, not only its name.
struct SocketFile {
  std::string path;
  dev_t device = 0;
  ino_t number = 0;

  static SocketFile at(std::string path) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) {
      return {};
    }
    return {.path = std::move(path), .device = found.st_dev, .number = found.st_ino};
  }
  void remove() const {
    const SocketFile now = path.empty() ? SocketFile() : at(path);
    if (!now.path.empty() && now.device == device && now.number == number) {
      ::unlink(path.c_str());
    }
  }
};

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

class RealListener final : public Listener {
 public:
  struct Place {
    std::string address;
    std::uint16_t port = 0;
    SocketFile file;            // of a Unix socket
    bool made_by_weir = false;  // its file
    bool made_here = false;
  };
  RealListener(RealLoop& loop, Acceptor acceptor, AcceptHandler& handler, Place place)
      : state_(std::make_shared<State>(loop, std::move(acceptor), handler)),
        place_(std::move(place)),
        removes_file_(place_.made_here) {
    accept(state_);
  }
  RealListener(const RealListener&) = delete;
  RealListener& operator=(const RealListener&) = delete;
  ~RealListener() override {
    state_->closed = true;
    if (removes_file_) {
      place_.file.remove();  // first: who finds the name finds somebody who listens
    }
    // Not close(): where another process has the same socket, Asio would leave it in our epoll set.
    boost::system::error_code ignored;
    const int descriptor = state_->acceptor.release(ignored);
    state_->pause.cancel();
    if (descriptor >= 0) {
      take_what_waits(descriptor);
      ::close(descriptor);
    }
  }
  [[nodiscard]] std::uint16_t port() const override { return place_.port; }
  [[nodiscard]] std::string address() const override { return place_.address; }
  [[nodiscard]] int descriptor() const override { return state_->acceptor.native_handle(); }
  [[nodiscard]] bool made_by_weir() const override { return place_.made_by_weir; }
  void remove_file(bool remove) override { removes_file_ = remove && place_.made_by_weir; }

 private:
  struct State {
    State(RealLoop& on, Acceptor from, AcceptHandler& to)
        : loop(on), acceptor(std::move(from)), handler(to), pause(on.context()) {}
    RealLoop& loop;
    Acceptor acceptor;
    AcceptHandler& handler;
    asio::steady_timer pause;
    asio::generic::stream_protocol::endpoint peer;
    bool closed = false;
  };

  /// Who is in the queue is connected, and may have sent his request: closing would reset him.
  void take_what_waits(int descriptor) {
    while (true) {
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      const int accepted =
          ::accept4(descriptor, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (accepted < 0) {
        break;
      }
      state_->handler.on_accept(std::make_unique<RealAccepted>(accepted, peer));
    }
  }

  static void accept(const std::shared_ptr<State>& state) {
    state->acceptor.async_accept(state->peer, [state](const boost::system::error_code& error, auto socket) {
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
      sockaddr_storage peer{};
      std::memcpy(&peer, state->peer.data(), std::min(sizeof peer, state->peer.size()));
      state->handler.on_accept(std::make_unique<RealAccepted>(descriptor, peer));
      if (!state->closed) {
        accept(state);
      }
    });
  }

  std::shared_ptr<State> state_;
  Place place_;
  bool removes_file_;
};

Error cannot_listen(std::string_view where, int error) {
  return {Code::io_error, fmt::format("cannot listen on {}: {}", where, std::strerror(error)), {}};
}

/// A socket file that nobody answers at was left by a process that died. Anything else stays.
Result<void> remove_stale(const std::string& path, const UnixAddress& address) {
  const std::string where = "unix:" + path;
  const SocketFile file = SocketFile::at(path);
  if (file.path.empty()) {
    return fail(Code::io_error, fmt::format("cannot listen on {}: something that is no socket has this name", where));
  }
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), address.get(), sizeof(address.address)) == 0 || errno != ECONNREFUSED) {
    return std::unexpected(cannot_listen(where, EADDRINUSE));
  }
  file.remove();
  return {};
}

Result<int> bind_unix(const std::string& path, unsigned mode) {
  const auto address = UnixAddress::of(path);
  if (!address) {
    return std::unexpected(address.error());
  }
  const std::string where = "unix:" + path;
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The file is born with the mode of the socket (unix(7), Linux), so nobody else slips in; without the umask's bits,
  // which come back after.
  ::fchmod(socket.get(), mode);
  for (int attempt = 0; ::bind(socket.get(), address->get(), sizeof(address->address)) != 0; ++attempt) {
    if (errno != EADDRINUSE || attempt > 0) {
      return std::unexpected(cannot_listen(where, errno));
    }
    if (auto removed = remove_stale(path, *address); !removed) {
      return std::unexpected(removed.error());
    }
  }
  if (::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), asio::socket_base::max_listen_connections) != 0) {
    const int error = errno;
    SocketFile::at(path).remove();
    return std::unexpected(cannot_listen(where, error));
  }
  return socket.release();
}

Result<int> bind_tcp(const IpAddress& address, std::uint16_t port) {
  const tcp::endpoint endpoint(to_asio(address), port);
  Descriptor socket(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 ||
      ::listen(socket.get(), asio::socket_base::max_listen_connections) != 0) {
    return std::unexpected(cannot_listen(to_string(address, port), errno));
  }
  return socket.release();
}

/// Where a bound TCP socket really is.
RealListener::Place place_of(int descriptor) {
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &length);
  const in_port_t port = bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                                     : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
  return {.address = text_of(bound), .port = ntohs(port), .file = {}};
}

}  // namespace

Result<std::unique_ptr<Listener>> RealLoop::listen(const Peer& at, AcceptHandler& handler,
                                                   const ListenOptions& options) {
  RealListener::Place place;
  asio::generic::stream_protocol protocol(AF_UNIX, 0);
  int descriptor = -1;
  if (!at.unix_path.empty()) {
    const auto inherited = inherited_ != nullptr ? inherited_->take_unix(at.unix_path) : InheritedSockets::Taken();
    const auto bound = inherited.descriptor >= 0 ? inherited.descriptor : bind_unix(at.unix_path, options.unix_mode);
    if (!bound) {
      return std::unexpected(bound.error());
    }
    descriptor = *bound;
    const bool made_here = inherited.descriptor < 0;
    place = {.address = to_string(at),
             .port = 0,
             .file = SocketFile::at(at.unix_path),
             .made_by_weir = made_here || inherited.made_by_weir,
             .made_here = made_here};
  } else {
    const auto address = parse_bare_address(at.host == "localhost" ? "127.0.0.1" : at.host);
    if (!address) {
      return fail(Code::invalid_request, fmt::format("cannot listen on {}: it is not an IP address", at.host));
    }
    const int inherited = inherited_ != nullptr ? inherited_->take(to_string(*address), at.port) : -1;
    const auto bound = inherited >= 0 ? inherited : bind_tcp(*address, at.port);
    if (!bound) {
      return std::unexpected(bound.error());
    }
    descriptor = *bound;
    set_keep_alive(descriptor, {});  // a client that vanished in the middle of a long answer
    place = place_of(descriptor);
    protocol = asio::generic::stream_protocol(to_asio(*address).is_v6() ? AF_INET6 : AF_INET, IPPROTO_TCP);
  }
  Acceptor acceptor(context_);
  boost::system::error_code error;
  acceptor.assign(protocol, descriptor, error);
  if (error) {
    ::close(descriptor);
    return fail(Code::io_error, fmt::format("cannot listen on {}: {}", to_string(at), error.message()));
  }
  return std::make_unique<RealListener>(*this, std::move(acceptor), handler, std::move(place));
}

}  // namespace weir::platform
