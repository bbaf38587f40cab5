#pragma once

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/chunked.hpp"
#include "http/connection_slots.hpp"
#include "http/connector.hpp"
#include "http/head_parser.hpp"
#include "net/task_group.hpp"
#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/recycled_memory.hpp"

namespace weir::http {

class Client;

/// What is known of an exchange beside its answer; filled while it runs, also when it fails.
struct ClientFacts {
  std::optional<platform::Instant> connected;
  bool reused_connection = false;
  bool closed_before_reply = false;  // the connection ended before any byte of an answer, interim ones included
};

struct ClientStatistics {
  std::uint64_t opened = 0;
  std::uint64_t reused = 0;
  std::size_t open = 0;     // now, idle ones included
  std::size_t waiting = 0;  // calls, now, for one of the connections that may be open
};

/// An answer whose head has come. Destroying it gives the connection back to its client's pool if the body was read to
/// its end, and closes it otherwise. Belongs to the client's loop; the client outlives it.
class ClientResponse {
 public:
  ClientResponse(const ClientResponse&) = delete;
  ClientResponse& operator=(const ClientResponse&) = delete;
  ~ClientResponse();
  // One for every call.
  static void* operator new(std::size_t bytes) { return allocate_recycled(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_recycled(block, bytes); }

  [[nodiscard]] const ResponseHead& head() const;
  /// The next bytes of the body, as many as are there; empty at its end. They live until the next read(). Errors:
  /// timeout, cancelled; reset, end_of_stream: the body ended before its end; upstream_malformed: bad framing.
  Task<Result<std::string_view>> read(platform::Until until);
  /// The body's last byte has been returned by read().
  [[nodiscard]] bool ended() const { return ended_; }
  /// What came cannot be what was meant, so its length may be wrong too: the connection is closed, since what is left
  /// of it would be taken for the beginning of the next answer.
  void distrust();

 private:
  friend class Client;
  struct Connection;
  explicit ClientResponse(Client& client);

  Result<std::string_view> take_available();
  Result<std::string_view> take_chunked();

  Client& client_;
  std::unique_ptr<Connection> connection_;
  ChunkedDecoder chunks_;
  std::uint64_t left_ = 0;  // of a body with a length
  std::size_t given_ = 0;   // bytes of the reader's buffer that the last read() showed
  bool ended_ = false;
  bool request_sent_ = false;  // whole: else the server may take the next request for the rest of this one
};

/// HTTP/1.1, plain or over TLS, to one server from one core, with kept-alive connections, the most recently used first.
///
/// An idle connection has a read pending, so one that the server closed leaves the pool at once; the race that remains
/// is told by ClientFacts (reused_connection and closed_before_reply) and is the caller's to repeat. Life: close() must
/// have returned before the destructor. Belongs to one loop.
class Client {
 public:
  struct Options {
    platform::Peer peer;
    std::optional<net::TlsClient::Options> tls;  // https
    std::optional<Connector::Proxy> proxy;
    net::Dialer* dialer = nullptr;           // outlives the client; null: the loop dials
    std::shared_ptr<ConnectionSlots> slots;  // shared with the clients of other cores; null: no bound
    std::size_t idle_max = 30;
    std::chrono::milliseconds idle_timeout{30'000};
    HeadLimits head_limits;
    std::size_t read_ahead_bytes = std::size_t{64} * 1024;
  };
  Client(platform::Loop& loop, Options options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Sends `head` (whole, with its empty line; read once a connection is there, behind `on_connected`) and the slices
  /// of the body, and waits for the answer's head; interim answers are skipped. An answer that comes before the request
  /// was sent whole ends the sending, and the connection serves no other. Errors: unreachable, refused, reset,
  /// end_of_stream, timeout, cancelled, upstream_malformed; overloaded: no connection came free of those that may be
  /// open. That wait is no part of the time to connect, so `connect_deadline` is moved by it.
  struct SendOptions {
    Method method = Method::post;
    platform::Instant connect_deadline = platform::never;
    bool fresh_connection = false;  // not a kept-alive one
    // Called when a connection is there; false: nothing is to be sent after all, which ends as `cancelled`.
    const std::function<bool(platform::Instant)>* on_connected = nullptr;
  };
  Task<Result<std::unique_ptr<ClientResponse>>> send(const std::string& head, std::span<const std::string_view> body,
                                                     SendOptions options, ClientFacts& facts, platform::Until until);
  /// Reads the rest of an answer that nobody wants, for a moment, so that its connection can be used again.
  void linger(std::unique_ptr<ClientResponse> response);
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] const ClientStatistics& statistics() const { return statistics_; }
  /// All zero where the connections are plain.
  [[nodiscard]] net::TlsStatistics tls_statistics() const { return connector_.tls_statistics(); }
  Task<void> close();

 private:
  friend class ClientResponse;
  using ConnectionPtr = std::unique_ptr<ClientResponse::Connection>;
  class IdleTimer;

  struct Waiting;
  Task<Result<ConnectionPtr>> connect(const SendOptions& options, ClientFacts& facts, platform::Until until);
  Task<Result<ConnectionPtr>> open(const SendOptions& options, ClientFacts& facts, platform::Until until);
  Task<Result<ConnectionPtr>> wait_for_place(ConnectionSlots::Lease& lease, platform::Until until);
  ConnectionPtr take_idle();
  void drop_one_idle();
  void note_idle();
  void give_back(ConnectionPtr connection);
  void drop_expired();

  platform::Loop& loop_;
  Options options_;
  std::list<ConnectionPtr, RecycledAllocator<ConnectionPtr>> idle_;  // the most recently used first
  std::unique_ptr<IdleTimer> idle_timer_;
  std::shared_ptr<ConnectionSlots::Pool> pool_;  // null: no bound
  Connector connector_;
  net::TaskGroup lingering_;
  ClientStatistics statistics_;
  bool closed_ = false;
};

}  // namespace weir::http
