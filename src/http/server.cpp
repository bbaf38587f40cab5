#include "http/server.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "http/forwarded.hpp"
#include "http/request_body.hpp"

namespace weir::http {

using platform::Instant;
using platform::Until;

namespace {

constexpr std::size_t refusing_max = 64;  // connections over the limit that get an answer at one time
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string http_date(std::int64_t second) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<std::time_t>(second)));
}

}  // namespace

/// One client connection, from accept to close.
class ServerCore::Connection {
 public:
  Connection(ServerCore& core, std::unique_ptr<platform::Stream> stream)
      : core_(core),
        loop_(core.loop_),
        stream_(std::move(stream)),
        reader_(loop_, *stream_, {.bytes_max = core.options_.head_limits.head_bytes_max}),
        writer_(loop_, *stream_),
        response_(writer_, {.write_timeout = core.options_.write_timeout, .closing = &core.draining_}),
        peer_(stream_->peer()),
        body_(loop_, reader_, core.budget_) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (answer_is_broken()) {
      stream_->abort();  // an orderly close could be taken for the end of a body without a length
    } else {
      stream_->close();
    }
  }

  Task<void> run() {
    reader_.start();
    while (co_await one_request()) {
    }
    co_await say_goodbye();
  }

 private:
  struct Active {
    explicit Active(std::size_t& all) : count(all) { ++count; }
    Active(const Active&) = delete;
    Active& operator=(const Active&) = delete;
    ~Active() { --count; }
    std::size_t& count;
  };

  /// Reads one request and answers it; false when the connection is to be closed.
  Task<bool> one_request() {
    body_.give_back();
    if (reader_.bytes().empty()) {
      const Instant idle_end = loop_.now() + core_.options_.idle_timeout;
      auto arrived = co_await reader_.more(0, {idle_end, &core_.draining_});
      if (!arrived && arrived.error() == Code::cancelled) {
        // The server drains. A request may be on its way: it is still answered, and the answer says that we close.
        const Instant drain_end = loop_.now() + core_.options_.drain_idle_timeout;
        arrived = co_await reader_.more(0, {std::min(idle_end, drain_end), &core_.stopping_});
      }
      if (!arrived) {
        co_return false;
      }
    }
    started_ = loop_.now();
    const Active active(core_.statistics_.active);
    if (!co_await read_head() || !co_await read_body()) {
      co_return false;
    }
    co_await answer();
    reader_.consume(body_.bytes_in_reader());
    reader_.unpin();
    reader_.reserve(0);
    if (!response_.keep_alive()) {
      co_return false;  // while draining: only where the client was told, or he sends the next request into the void
    }
    if (reader_.bytes().empty()) {
      reader_.shrink();
      body_.forget();
    }
    co_return true;
  }

  Task<bool> read_head() {
    const Until until{started_ + core_.options_.head_timeout, &core_.stopping_};
    ParseState state;
    while (true) {
      const std::string_view bytes = reader_.bytes();
      const ParseOutcome outcome = parse_request_head(bytes, state, head_, core_.options_.head_limits);
      if (outcome.kind == ParseOutcome::Kind::error) {
        const Code code = outcome.status() == 431   ? Code::head_too_large
                          : outcome.status() == 501 ? Code::not_implemented
                          : outcome.status() == 505 ? Code::version_unsupported
                          : outcome.status() == 417 ? Code::expectation_failed
                          : outcome.status() == 405 ? Code::method_not_allowed
                                                    : Code::invalid_request;
        head_.clear();
        co_await refuse(outcome.status(), code, outcome.reason());
        co_return false;
      }
      if (outcome.kind == ParseOutcome::Kind::done) {
        head_text_.assign(bytes.substr(0, outcome.consumed));
        head_.rebase(bytes.data(), head_text_.data());
        reader_.consume(outcome.consumed);
        co_return true;
      }
      const auto arrived = co_await reader_.more(bytes.size(), until);
      if (!arrived) {
        if (arrived.error() == Code::timeout) {
          head_.clear();
          co_await refuse(408, Code::request_timeout, "The request's head did not arrive in time.");
        }
        co_return false;
      }
    }
  }

  Task<bool> read_body() {
    if (head_.framing == BodyFraming::none) {
      body_.clear();
      finish_reading();
      co_return true;
    }
    body_.limit(core_.options_.body_bytes_max);  // a reload may have changed it
    if (const auto refusal = body_.check(head_)) {
      co_await refuse(*refusal);
      co_return false;
    }
    if (core_.shares_ != nullptr &&
        (head_.framing == BodyFraming::chunked || head_.content_length > RequestBody::shared_from ||
         head_.headers.has(KnownHeader::content_encoding))) {
      body_.count_for(*core_.shares_, caller_address());
    }
    if (head_.expect_continue && reader_.bytes().empty()) {
      if (!co_await writer_.write({&continue_line, 1},
                                  {loop_.now() + core_.options_.write_timeout, &core_.stopping_})) {
        co_return false;
      }
    }
    const auto read = co_await body_.read(head_, {started_ + core_.options_.body_timeout, &core_.stopping_});
    if (!read) {
      co_await refuse(read.error());
      co_return false;
    }
    finish_reading();
    co_return true;
  }

  /// Whose request it is; nobody's, for all that have no address.
  [[nodiscard]] platform::IpAddress caller_address() const {
    std::optional<std::string> caller;
    if (!core_.options_.trusted_proxies.empty()) {
      caller = forwarded_for(peer_, head_.headers, core_.options_.trusted_proxies);
    }
    return platform::parse_address(caller ? *caller : peer_).value_or(platform::IpAddress());
  }

  [[nodiscard]] bool answer_is_broken() const { return response_.started() && !response_.finished(); }

  void finish_reading() {
    received_ = loop_.now();
    reader_.pin(body_.bytes_in_reader());
  }

  Task<void> answer() {
    RequestEnd end{.cancellation = platform::Cancellation(&core_.stopping_)};
    response_.reset(head_.method, head_.version, head_.keep_alive, core_.date(), &end.cancellation);
    const auto leave = [&end] {
      end.client_left = true;
      end.cancellation.cancel();
    };
    if (reader_.ended()) {
      leave();  // what is answered at once still is: the client may only have closed its sending side
    } else {
      reader_.on_end(leave);
    }
    std::optional<std::string> caller;
    if (!core_.options_.trusted_proxies.empty()) {
      caller = forwarded_for(peer_, head_.headers, core_.options_.trusted_proxies);
    }
    const Request request{.head = head_,
                          .body = body_.view(),
                          .peer = caller ? *caller : peer_,
                          .started = started_,
                          .received = received_};
    std::exception_ptr failure;
    try {
      co_await core_.handler_.handle(request, response_, end);
    } catch (...) {
      failure = std::current_exception();
    }
    reader_.on_end(nullptr);
    if (failure) {
      if (!response_.head_sent()) {
        co_await refuse(500, Code::internal, "The gateway failed on this request. It has been logged.");
      }
      std::rethrow_exception(failure);  // ends the connection, and is reported by its group
    }
  }

  Task<void> refuse(int status, Code code, std::string_view message) {
    response_.reset(Method::other, Version::http_1_1, false, core_.date(), nullptr);
    refused_ = true;
    co_await core_.handler_.refuse(status, code, message, head_.target.path, response_);
  }

  /// Answers nothing where nobody is left to be told.
  Task<void> refuse(const RequestBody::Refusal& refusal) {
    body_.forget();  // what came of it is of no use, and its client may take his time to listen
    body_.give_back();
    if (refusal.status != 0) {
      co_await refuse(refusal.status, refusal.code, refusal.message);
    }
  }

  /// Closing while the client still sends would reset the connection, and the reset would destroy the answer on its way
  /// to him: so we stop writing first, and read what comes for a moment (RFC 9112 section 9.6).
  Task<void> say_goodbye() {
    if (answer_is_broken() || (!refused_ && reader_.bytes().empty())) {
      co_return;
    }
    stream_->shutdown_send();
    const Until until{loop_.now() + std::chrono::seconds(1), &core_.stopping_};
    std::size_t seen = 0;
    while (seen < std::size_t{1} << 20) {
      seen += reader_.bytes().size();
      reader_.consume(reader_.bytes().size());
      if (!co_await reader_.more(0, until)) {
        break;
      }
    }
  }

  ServerCore& core_;
  platform::Loop& loop_;
  std::unique_ptr<platform::Stream> stream_;
  platform::ByteReader reader_;
  platform::ByteWriter writer_;
  ResponseWriter response_;
  std::string peer_;
  std::string head_text_;
  RequestHead head_;
  RequestBody body_;
  Instant started_;
  Instant received_;
  bool refused_ = false;
};

ServerCore::ServerCore(platform::Loop& loop, Handler& handler, platform::MemoryBudget& budget, ServerOptions options,
                       net::TaskGroup::OnFailure on_failure, PeerConnections* peers, platform::SharedBudget* shares)
    : loop_(loop),
      handler_(handler),
      budget_(budget),
      options_(std::move(options)),
      peers_(peers),
      shares_(shares),
      connections_(loop, std::move(on_failure)) {}

void ServerCore::adopt(std::unique_ptr<platform::Accepted> accepted, Transport transport) {
  if (closed_ || connections_.size() - refusing_ >= static_cast<std::size_t>(options_.connections_max)) {
    ++statistics_.refused_full;
    // A handshake would cost more than the answer is worth, and a flood must not cost much.
    if (closed_ || transport == Transport::tls || refusing_ >= refusing_max) {
      load_.fetch_sub(1, std::memory_order_relaxed);
    } else {
      ++refusing_;
      connections_.spawn("refusal", refuse_full(accepted->open_on(loop_)));
    }
    return;
  }
  auto stream = accepted->open_on(loop_);
  auto lease = admit(*stream);
  if (!lease) {
    ++statistics_.refused_address;
    load_.fetch_sub(1, std::memory_order_relaxed);
    stream->close();
    return;
  }
  ++statistics_.accepted;
  connections_.spawn("connection", serve(std::move(stream), transport, std::move(*lease)));
}

/// Says that there is no room, in one write, and listens for a moment: closing while the client still sends would
/// destroy the answer on its way to him.
Task<void> ServerCore::refuse_full(std::unique_ptr<platform::Stream> stream) {
  struct Leave {
    ServerCore& core;
    ~Leave() {
      --core.refusing_;
      core.load_.fetch_sub(1, std::memory_order_relaxed);
    }
  };
  const Leave leave{*this};
  const Until until{loop_.now() + std::chrono::seconds(1), &stopping_};
  platform::ByteReader reader(loop_, *stream, {.bytes_max = 4096 - platform::ByteReader::padding});
  platform::ByteWriter writer(loop_, *stream);
  ResponseWriter response(writer, {.write_timeout = std::chrono::seconds(1), .closing = nullptr});
  response.reset(Method::other, Version::http_1_1, false, date(), nullptr);
  co_await handler_.refuse(503, Code::overloaded, "The gateway has as many connections as it may have. Try again soon.",
                           {}, response);
  stream->shutdown_send();
  reader.start();
  for (std::size_t seen = 0; seen < std::size_t{64} * 1024;) {
    seen += reader.bytes().size();
    reader.consume(reader.bytes().size());
    const auto more = co_await reader.more(0, until);
    if (!more) {
      break;
    }
  }
  stream->close();
}

/// A place for the stream's address among all connections; an empty lease where nobody counts, nothing where it has as
/// many as it may.
std::optional<PeerConnections::Lease> ServerCore::admit(const platform::Stream& stream) {
  if (peers_ == nullptr || !peers_->limited()) {
    return PeerConnections::Lease();
  }
  const auto address = platform::parse_address(stream.peer());
  const bool uncounted = !address || std::ranges::any_of(options_.trusted_proxies, [&](const auto& network) {
    return network.contains(*address);
  });
  return uncounted ? std::optional<PeerConnections::Lease>(std::in_place) : peers_->acquire(*address);
}

void ServerCore::use_tls(const net::TlsServer::Options& options) {
  if (tls_ == nullptr) {
    tls_ = std::make_unique<net::TlsServer>(options);
  } else {
    tls_->replace(options);
  }
}

net::TlsStatistics ServerCore::tls_statistics() const {
  return tls_ == nullptr ? net::TlsStatistics() : tls_->statistics();
}

Task<void> ServerCore::serve(std::unique_ptr<platform::Stream> stream, Transport transport,
                             PeerConnections::Lease lease) {
  const PeerConnections::Lease counted(std::move(lease));  // until the connection is closed
  struct Leave {
    std::atomic<int>& load;
    ~Leave() { load.fetch_sub(1, std::memory_order_relaxed); }
  };
  const Leave leave{load_};
  if (transport == Transport::tls) {
    auto secured = co_await tls_->secure(loop_, std::move(stream), {loop_.now() + options_.head_timeout, &stopping_});
    if (!secured) {
      co_return;  // counted; there is nobody to tell
    }
    stream = std::move(*secured);
  }
  const auto connection = std::make_unique<Connection>(*this, std::move(stream));
  co_await connection->run();
}

Task<void> ServerCore::drain(Instant deadline) {
  draining_.cancel();
  if (!co_await connections_.join(deadline)) {
    stopping_.cancel();
    co_await connections_.join(platform::never);
  }
  closed_ = true;
}

std::string_view ServerCore::date() {
  const std::int64_t second = std::chrono::floor<std::chrono::seconds>(loop_.wall_now()).time_since_epoch().count();
  if (second != date_second_) {
    date_second_ = second;
    date_.assign(std::string_view(http_date(second)));  // copied into place: connections hold views of it
  }
  return date_;
}

void Acceptor::on_accept(std::unique_ptr<platform::Accepted> connection) {
  ServerCore* least = *std::ranges::min_element(
      cores_, {}, [](ServerCore* core) { return core->load().load(std::memory_order_relaxed); });
  least->load().fetch_add(1, std::memory_order_relaxed);
  least->loop().post([least, transport = transport_, connection = std::move(connection)]() mutable {
    least->adopt(std::move(connection), transport);
  });
}

}  // namespace weir::http
