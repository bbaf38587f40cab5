#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::platform {

class Loop;

/// Bytes moved, or why none were: end_of_stream (reads), reset, io_error.
using IoResult = std::expected<std::size_t, Code>;

/// Probes on a silent connection, so that a peer which vanished without a word is noticed (tcp(7)).
struct TcpKeepAlive {
  std::chrono::seconds idle{60};
  std::chrono::seconds interval{30};
  int count = 3;
};

class ReadWaiter {
 public:
  /// Room for the bytes that are about to be read, > 0 bytes. Asked for only once there seems to be something, so that
  /// a connection on which nothing comes needs none; from the loop, or inside start_read(). It stays valid until
  /// on_read() or close(), or until it is asked for again.
  virtual std::span<char> read_space() = 0;
  /// Nothing was read into the room that was given last; it is asked for again when there is something.
  virtual void read_space_unused() {}
  /// At least one byte, or the reason why there will be none. Called from the loop, never inside start_read(); last
  /// thing that the stream does with the waiter, so it may start the next read or destroy the stream.
  virtual void on_read(IoResult result) = 0;

 protected:
  ~ReadWaiter() = default;
};

class WriteWaiter {
 public:
  /// Writing is worth another try. Called from the loop, never inside start_writable().
  virtual void on_writable() = 0;

 protected:
  ~WriteWaiter() = default;
};

/// A connected byte stream: one read and one wait for room may be pending at a time, independently of each other.
///
/// After close(), abort() or the destructor no waiter is called and no buffer is touched. Deadlines are not its
/// business: whoever waits has one, and closes the stream when it passes. Belongs to one loop.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Reads into the waiter's read_space() when there is something to read.
  virtual void start_read(ReadWaiter& waiter) = 0;
  /// Ends a pending read soon: on_read() gets Code::cancelled, or the data if it was quicker.
  virtual void stop_read() = 0;
  /// Writes what fits now, all slices in one system call where they fit one. 0: no room, see start_writable().
  virtual IoResult write_now(std::span<const std::string_view> slices) = 0;
  /// Bytes that it was given and has not counted as written are on their way all the same: nothing else may be written
  /// in their place.
  [[nodiscard]] virtual bool holds_uncounted() const { return false; }
  /// Takes the place of a wait that is still pending.
  virtual void start_writable(WriteWaiter& waiter) = 0;
  /// Says that nothing more will be written (FIN); reading goes on.
  virtual void shutdown_send() = 0;
  /// Orderly where possible.
  virtual void close() = 0;
  /// With a reset (RST), so that the peer learns at once that the answer is broken.
  virtual void abort() = 0;
  /// "127.0.0.1:5000", "unix:", for records and logs.
  [[nodiscard]] virtual std::string peer() const = 0;
  virtual void keep_alive(const TcpKeepAlive&) {}
};

/// A connection that was accepted and does not belong to a loop yet.
class Accepted {
 public:
  virtual ~Accepted() = default;
  /// Call on the thread of `loop`.
  virtual std::unique_ptr<Stream> open_on(Loop& loop) = 0;
};

class AcceptHandler {
 public:
  /// On the listener's loop; who connected just before the listener went is told a turn later. Outlives that turn too.
  virtual void on_accept(std::unique_ptr<Accepted> connection) = 0;

 protected:
  ~AcceptHandler() = default;
};

/// Accepts until it is destroyed, which hands over what is connected already. Out of file descriptors: pauses and goes
/// on by itself.
class Listener {
 public:
  virtual ~Listener() = default;
  /// The port that was really bound (for port 0).
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// "127.0.0.1:8000", "unix:/run/weir.sock".
  [[nodiscard]] virtual std::string address() const = 0;
  /// Whether a Unix socket's file goes when this does. Before anything is said: where this process made it. Where one
  /// made it that is no weir (systemd), it stays in any case.
  virtual void remove_file(bool) {}
  /// For a successor of this process (process.hpp); -1 where there is none.
  [[nodiscard]] virtual int descriptor() const { return -1; }
  /// A weir made its socket file, and the last one removes it.
  [[nodiscard]] virtual bool made_by_weir() const { return false; }
};

}  // namespace weir::platform
