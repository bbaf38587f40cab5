#include "platform/real_stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "platform/socket_calls.hpp"

namespace weir::platform {

namespace {

// A head and a small body are copied together: sendmsg() of two pieces takes 0.2 us longer than send() of one.
constexpr std::size_t joined_bytes_max = 4096;

template <class Send>
IoResult sent_by(Send send) {
  while (true) {
    const ssize_t sent = send();
    if (sent >= 0) {
      return static_cast<std::size_t>(sent);
    }
    if (errno == EINTR) {
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
      return 0;
    }
    return std::unexpected(Code::reset);
  }
}

IoResult send_one(int descriptor, std::string_view bytes) {
  return sent_by([&] { return send_to_socket(descriptor, bytes, MSG_NOSIGNAL | MSG_DONTWAIT); });
}

/// `slices` are at most joined_bytes_max in all.
IoResult send_joined(int descriptor, std::span<const std::string_view> slices) {
  std::array<char, joined_bytes_max> joined;
  char* end = joined.data();
  for (const std::string_view slice : slices) {
    end += slice.copy(end, slice.size());
  }
  return send_one(descriptor, {joined.data(), end});
}

IoResult send_pieces(int descriptor, std::span<const std::string_view> slices) {
  constexpr std::size_t pieces_max = 64;
  std::array<iovec, pieces_max> pieces;
  std::size_t count = 0;
  for (const std::string_view slice : slices) {
    if (slice.empty()) {
      continue;
    }
    if (count == pieces_max) {
      break;
    }
    pieces[count++] = {const_cast<char*>(slice.data()), slice.size()};
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  return sent_by([&] { return ::sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
}

}  // namespace

RealStream::RealStream(RealLoop& loop, int descriptor, std::string peer)
    : ops_(SocketOps::make(loop, descriptor)), peer_(std::move(peer)) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // of no meaning on a Unix socket
}

void set_keep_alive(int descriptor, const TcpKeepAlive& settings) {
  const auto set = [descriptor](int level, int name, int value) {
    ::setsockopt(descriptor, level, name, &value, sizeof value);  // fails on a Unix socket, which needs no probes
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(settings.idle.count()));
  set(IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(settings.interval.count()));
  set(IPPROTO_TCP, TCP_KEEPCNT, settings.count);
}

void RealStream::keep_alive(const TcpKeepAlive& settings) {
  if (ops_ != nullptr) {
    set_keep_alive(ops_->descriptor(), settings);
  }
}

RealStream::~RealStream() {
  close();
}

IoResult RealStream::write_now(std::span<const std::string_view> slices) {
  std::size_t bytes = 0;
  for (const std::string_view slice : slices) {
    bytes += slice.size();
  }
  if (bytes == 0) {
    return 0;
  }
  if (ops_ == nullptr) {
    return std::unexpected(Code::reset);
  }
  const int descriptor = ops_->descriptor();
  if (slices.size() == 1) {
    return send_one(descriptor, slices.front());
  }
  return bytes <= joined_bytes_max ? send_joined(descriptor, slices) : send_pieces(descriptor, slices);
}

void RealStream::start_read(ReadWaiter& waiter) {
  if (ops_ != nullptr) {
    ops_->start_read(waiter);
  }
}

void RealStream::stop_read() {
  if (ops_ != nullptr) {
    ops_->cancel();
  }
}

void RealStream::start_writable(WriteWaiter& waiter) {
  if (ops_ != nullptr) {
    ops_->start_writable(waiter);
  }
}

void RealStream::shutdown_send() {
  if (ops_ != nullptr) {
    ::shutdown(ops_->descriptor(), SHUT_WR);
  }
}

void RealStream::close() {
  if (ops_ != nullptr) {
    std::exchange(ops_, nullptr)->close();
  }
}

void RealStream::abort() {
  if (ops_ != nullptr) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(ops_->descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
}

}  // namespace weir::platform
