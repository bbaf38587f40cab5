#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/head_parser.hpp"
#include "http/peer_connections.hpp"
#include "http/response_writer.hpp"
#include "net/task_group.hpp"
#include "net/tls.hpp"
#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/memory_budget.hpp"
#include "platform/shared_budget.hpp"

namespace weir::http {

/// A whole request. Views live until the handler's task has ended: the connection keeps head and body where they are.
struct Request {
  const RequestHead& head;
  std::string_view body;       // decoded from its framing; 64 readable bytes follow
  std::string_view peer;       // "127.0.0.1:5000"; behind trusted proxies the caller's address
  platform::Instant started;   // the first byte
  platform::Instant received;  // the last byte
};

/// Why a running request should stop.
struct RequestEnd {
  platform::Cancellation cancellation;  // the client left, or the server's drain is over
  bool client_left = false;
};

/// What stands behind the server.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Answers `request`. When it returns without having answered, the connection is closed.
  virtual Task<void> handle(const Request& request, ResponseWriter& response, RequestEnd& end) = 0;
  /// Writes the answer to a request that was refused before it was whole: bad framing, too large, too slow. The
  /// connection closes afterwards. `path` is empty where none was read.
  virtual Task<void> refuse(int status, Code code, std::string_view message, std::string_view path,
                            ResponseWriter& response) = 0;
};

struct ServerOptions {
  HeadLimits head_limits;
  std::size_t body_bytes_max = std::size_t{32} << 20;
  std::chrono::milliseconds head_timeout{10'000};  // from a message's first byte to the end of its head
  std::chrono::milliseconds body_timeout{60'000};  // for the whole body, and one second more for each 16 KiB that came
  std::chrono::milliseconds idle_timeout{75'000};  // between two messages
  std::chrono::milliseconds drain_idle_timeout{2'000};  // the same while draining, for a message that is on its way
  std::chrono::milliseconds write_timeout{60'000};      // a client that takes nothing for so long is gone
  int connections_max = 10'000;                         // per core; who comes then gets a 503
  // Whose X-Forwarded-For is believed, and who may open as many connections as he likes.
  std::vector<platform::IpNetwork> trusted_proxies;
};

struct ServerStatistics {
  std::uint64_t accepted = 0;
  std::uint64_t refused_full = 0;     // over connections_max
  std::uint64_t refused_address = 0;  // over what one address may open
  std::size_t active = 0;             // connections, now, between a request's first byte and its answer's last
};

/// What the bytes of an accepted connection are.
enum class Transport : std::uint8_t { plain, tls };

/// The connections of one core: reads requests, calls the handler, keeps connections alive, drains.
///
/// A connection always has a read pending, so that a client that left is noticed in every phase; pipelined requests
/// wait in its bounded buffer and are answered in order. Life: drain() must have returned true before the destructor.
/// Belongs to one loop, except `load()`.
class ServerCore {
 public:
  /// `peers`: counts connections by address, with those of other cores, `shares` what they hold of the budget; null:
  /// nobody does.
  ServerCore(platform::Loop& loop, Handler& handler, platform::MemoryBudget& budget, ServerOptions options,
             net::TaskGroup::OnFailure on_failure, PeerConnections* peers = nullptr,
             platform::SharedBudget* shares = nullptr);
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;

  /// Takes a connection over; on the core's loop.
  void adopt(std::unique_ptr<platform::Accepted> accepted, Transport transport = Transport::plain);
  /// What connections with Transport::tls get from now on; those that are open keep theirs. On the core's loop, or
  /// before it runs.
  void use_tls(const net::TlsServer::Options& options);
  /// Other limits for what begins from now on. The size of heads stays: buffers were made for it.
  void set_options(ServerOptions options) {
    options.head_limits = options_.head_limits;
    options_ = std::move(options);
  }
  /// From now on each answer says that its connection closes, and idle connections have `drain_idle_timeout` left: to
  /// close one at once would lose the request that its client is just sending.
  void start_draining() { draining_.cancel(); }
  /// Drains; what still runs at the deadline is cancelled. Returns when no connection is left. Nobody accepts any more:
  /// what was adopted before is served.
  Task<void> drain(platform::Instant deadline);

  [[nodiscard]] platform::Loop& loop() { return loop_; }
  /// Connections on this core or on their way to it; from any thread.
  [[nodiscard]] std::atomic<int>& load() { return load_; }
  [[nodiscard]] const ServerStatistics& statistics() const { return statistics_; }
  [[nodiscard]] net::TlsStatistics tls_statistics() const;

 private:
  class Connection;
  Task<void> serve(std::unique_ptr<platform::Stream> stream, Transport transport, PeerConnections::Lease lease);
  Task<void> refuse_full(std::unique_ptr<platform::Stream> stream);
  [[nodiscard]] std::optional<PeerConnections::Lease> admit(const platform::Stream& stream);
  std::string_view date();

  platform::Loop& loop_;
  Handler& handler_;
  platform::MemoryBudget& budget_;
  ServerOptions options_;
  PeerConnections* peers_;
  platform::SharedBudget* shares_;
  platform::Cancellation draining_;  // shortens the waits of idle connections
  platform::Cancellation stopping_;  // ends what still runs when the drain's time is over
  net::TaskGroup connections_;
  bool closed_ = false;       // drained
  std::size_t refusing_ = 0;  // connections that hear that there is no room
  std::atomic<int> load_ = 0;
  ServerStatistics statistics_;
  std::unique_ptr<net::TlsServer> tls_;  // null until use_tls()
  std::string date_;
  std::int64_t date_second_ = -1;
};

/// Accepts on one loop and hands each connection to the least loaded core.
class Acceptor final : public platform::AcceptHandler {
 public:
  explicit Acceptor(std::vector<ServerCore*> cores, Transport transport = Transport::plain)
      : cores_(std::move(cores)), transport_(transport) {}
  void on_accept(std::unique_ptr<platform::Accepted> connection) override;

 private:
  std::vector<ServerCore*> cores_;  // outlive the listeners that call this
  Transport transport_;
};

}  // namespace weir::http
