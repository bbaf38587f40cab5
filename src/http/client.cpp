#include "http/client.hpp"

#include <fmt/format.h>

#include <cstring>

namespace weir::http {

using platform::Instant;
using platform::Until;

namespace {
constexpr auto linger_time = std::chrono::seconds(1);
constexpr std::size_t linger_bytes_max = std::size_t{64} * 1024;

/// True once an answer has begun that is no interim one ("HTTP/1.1 1xx").
bool is_final_answer(std::string_view bytes) {
  constexpr std::size_t status_at = std::string_view("HTTP/1.1 ").size();
  return bytes.size() > status_at && bytes[status_at] != '1';
}
}  // namespace

struct ClientResponse::Connection {
  Connection(platform::Loop& loop, std::unique_ptr<platform::Stream> connected, std::size_t read_ahead_bytes,
             ConnectionSlots::Lease its_place, std::size_t& open)
      : place(std::move(its_place)),
        open_count(open),
        stream(std::move(connected)),
        reader(loop, *stream, {.bytes_max = read_ahead_bytes}),
        writer(loop, *stream) {
    ++open_count;
    reader.start();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    stream->close();
    --open_count;
  }

  ConnectionSlots::Lease place;
  std::size_t& open_count;  // of its client
  std::unique_ptr<platform::Stream> stream;
  platform::ByteReader reader;
  platform::ByteWriter writer;
  std::vector<std::string_view> message;  // the request while it is being sent; storage is reused as that of the head
  std::string head_text;  // of the answer that is being received; storage is reused from answer to answer
  ResponseHead head;
  Instant idle_since = platform::never;
  bool reusable = false;
};

/// Wakes when the longest idle connection has been idle for long enough.
class Client::IdleTimer final : public platform::Timer {
 public:
  explicit IdleTimer(Client& client) : client_(client) {}
  void on_timer() override { client_.drop_expired(); }

 private:
  Client& client_;
};

/// A call that waits for a place or, better, for a connection of this client that another call leaves.
struct Client::Waiting : ConnectionSlots::Waiter {
  using Waiter::Waiter;
  ConnectionPtr connection;
};

ClientResponse::ClientResponse(Client& client) : client_(client) {}

const ResponseHead& ClientResponse::head() const {
  return connection_->head;
}

void ClientResponse::distrust() {
  connection_->head.keep_alive = false;
}

ClientResponse::~ClientResponse() {
  if (connection_ == nullptr) {
    return;
  }
  if (ended_ && request_sent_) {
    connection_->reader.consume(given_);
    connection_->reader.unpin();
    if (connection_->head.keep_alive && connection_->reader.bytes().empty() && !connection_->reader.ended()) {
      client_.give_back(std::move(connection_));
    }
  }
}

Result<std::string_view> ClientResponse::take_chunked() {
  // Payload pieces are moved together, over the framing between them, so that what arrived together is seen together.
  const std::span<char> bytes = connection_->reader.bytes_for_update();
  std::size_t used = 0;
  std::size_t payload_end = 0;
  std::size_t payload_begin = 0;
  while (used < bytes.size()) {
    const auto step = chunks_.next({bytes.data() + used, bytes.size() - used});
    used += step.consumed;
    if (step.kind == ChunkedDecoder::Kind::error) {
      if (payload_end > payload_begin) {
        // What came whole counts, whether the broken part came with it or later: the decoder says the same again.
        used -= step.consumed;
        break;
      }
      return fail(Code::upstream_malformed,
                  fmt::format("the answer's chunked framing is broken: {}", chunks_.reason()));
    }
    if (step.kind == ChunkedDecoder::Kind::done) {
      ended_ = true;
      break;
    }
    if (step.kind == ChunkedDecoder::Kind::payload) {
      if (payload_end == 0) {
        payload_begin = static_cast<std::size_t>(step.payload.data() - bytes.data());
        payload_end = payload_begin;
      }
      std::memmove(bytes.data() + payload_end, step.payload.data(), step.payload.size());
      payload_end += step.payload.size();
    }
  }
  given_ = used;
  return std::string_view(bytes.data() + payload_begin, payload_end - payload_begin);
}

Result<std::string_view> ClientResponse::take_available() {
  const std::string_view bytes = connection_->reader.bytes();
  switch (connection_->head.framing) {
    case BodyFraming::chunked: return take_chunked();
    case BodyFraming::length:
      given_ = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
      left_ -= given_;
      ended_ = left_ == 0;
      return bytes.substr(0, given_);
    case BodyFraming::until_close: given_ = bytes.size(); return bytes;
    case BodyFraming::none: break;
  }
  ended_ = true;
  return std::string_view();
}

Task<Result<std::string_view>> ClientResponse::read(Until until) {
  platform::ByteReader& reader = connection_->reader;
  reader.consume(std::exchange(given_, 0));
  reader.unpin();
  while (!ended_) {
    if (connection_->head.framing != BodyFraming::none && reader.bytes().empty()) {
      if (connection_->head.framing == BodyFraming::length) {
        reader.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(left_, client_.options_.read_ahead_bytes)));
      }
      const auto arrived = co_await reader.more(0, until);
      if (!arrived) {
        if (arrived.error() == Code::end_of_stream && connection_->head.framing == BodyFraming::until_close) {
          ended_ = true;
          break;
        }
        co_return fail(arrived.error(), arrived.error() == Code::timeout ? "no further part of the answer came in time"
                                                                         : "the answer ended before its end");
      }
    }
    const auto bytes = take_available();
    if (!bytes || !bytes->empty()) {
      reader.pin();
      co_return bytes;
    }
    reader.consume(std::exchange(given_, 0));
  }
  co_return std::string_view();
}

Client::Client(platform::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      idle_timer_(std::make_unique<IdleTimer>(*this)),
      connector_(loop,
                 {.peer = options_.peer, .tls = options_.tls, .proxy = options_.proxy, .dialer = options_.dialer}),
      lingering_(loop, [](std::string_view, const std::string&) { /* reading what nobody wants: nothing is lost */ }) {
  if (options_.slots != nullptr) {
    pool_ = std::make_shared<ConnectionSlots::Pool>(loop_, [this] { drop_one_idle(); });
    options_.slots->join(pool_);
  }
}

Client::~Client() = default;

Client::ConnectionPtr Client::take_idle() {
  while (!idle_.empty()) {
    ConnectionPtr connection = std::move(idle_.front());
    idle_.pop_front();
    if (pool_ != nullptr) {
      pool_->set_less_idle(idle_.size());
    }
    if (!connection->reader.ended() && connection->reader.bytes().empty()) {
      connection->reader.on_end(nullptr);
      return connection;
    }
  }
  return nullptr;
}

void Client::give_back(ConnectionPtr connection) {
  if (closed_ || options_.idle_max == 0) {
    return;
  }
  if (pool_ != nullptr && options_.slots->wanted()) {
    if (const auto next = options_.slots->next_in(*pool_)) {
      auto& waiting = static_cast<Waiting&>(*next);  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast): ours
      waiting.connection = std::move(connection);
      waiting.granted.notify();
      return;
    }
    if (options_.slots->wanted()) {
      return;  // closes: its place goes to who waits on another core
    }
  }
  connection->idle_since = loop_.now();
  connection->reader.reserve(0);
  connection->reader.shrink();
  idle_.push_front(std::move(connection));
  // Destroying the connection inside its own reader's callback is not allowed, so the timer does it, at once.
  idle_.front()->reader.on_end([this] { loop_.add_timer(*idle_timer_, loop_.now()); });
  if (idle_.size() > options_.idle_max) {
    idle_.pop_back();
  }
  note_idle();
  if (!idle_timer_->is_linked()) {
    loop_.add_timer(*idle_timer_, loop_.now() + options_.idle_timeout);
  }
}

void Client::drop_expired() {
  const Instant now = loop_.now();
  std::erase_if(idle_, [&](const ConnectionPtr& connection) {
    return connection->reader.ended() || connection->idle_since + options_.idle_timeout <= now;
  });
  if (pool_ != nullptr) {
    pool_->set_less_idle(idle_.size());
  }
  if (!idle_.empty()) {
    loop_.add_timer(*idle_timer_, idle_.back()->idle_since + options_.idle_timeout);
  }
}

/// Tells the other cores; who began to wait just before is not overlooked.
void Client::note_idle() {
  if (pool_ == nullptr) {
    return;
  }
  pool_->set_idle(idle_.size());
  if (options_.slots->wanted()) {
    options_.slots->ask_back();
  }
}

void Client::drop_one_idle() {
  if (!options_.slots->wanted()) {
    return;
  }
  if (idle_.empty()) {
    options_.slots->ask_back();  // another core's
    return;
  }
  idle_.pop_back();
  pool_->set_less_idle(idle_.size());
}

/// The wait for `lease`; or a connection that became free here meanwhile.
WEIR_OWN_FRAME Task<Result<Client::ConnectionPtr>> Client::wait_for_place(ConnectionSlots::Lease& lease, Until until) {
  ConnectionSlots& slots = *options_.slots;
  const auto waiting = std::make_shared<Waiting>(loop_);
  struct Wait {
    Client& client;
    const std::shared_ptr<Waiting>& waiting;
    Wait(Client& of, const std::shared_ptr<Waiting>& what) : client(of), waiting(what) { ++client.statistics_.waiting; }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() {
      --client.statistics_.waiting;
      client.options_.slots->stop_waiting(*client.pool_, waiting);
    }
  };
  const Wait wait(*this, waiting);
  const auto outcome = slots.acquire(*pool_, waiting);
  if (outcome == ConnectionSlots::Outcome::too_many) {
    co_return fail(
        Code::overloaded,
        fmt::format("all of its {} connections (http_client.pool_limits.max_connections) are in use, and too "
                    "many calls wait for one",
                    slots.limit()));
  }
  if (outcome == ConnectionSlots::Outcome::queued) {
    const platform::Wake wake = co_await waiting->granted.wait(until);
    if (wake != platform::Wake::notified) {
      co_return fail(
          // Not Code::timeout: the provider was not slow, and nothing may count that against it.
          wake == platform::Wake::timeout ? Code::overloaded : Code::cancelled,
          fmt::format("none of its {} connections (http_client.pool_limits.max_connections) came free in time",
                      slots.limit()));
    }
  }
  lease = std::move(waiting->lease);
  co_return std::move(waiting->connection);
}

WEIR_OWN_FRAME Task<Result<Client::ConnectionPtr>> Client::open(const SendOptions& options, ClientFacts& facts,
                                                                Until until) {
  ConnectionSlots::Lease place;
  Instant connect_deadline = options.connect_deadline;
  if (pool_ != nullptr) {
    const Instant began = loop_.now();
    auto waited = co_await wait_for_place(place, until);
    if (!waited) {
      co_return std::unexpected(std::move(waited.error()));
    }
    if (*waited != nullptr) {
      if (!options.fresh_connection && !(*waited)->reader.ended() && (*waited)->reader.bytes().empty()) {
        facts.reused_connection = true;
        ++statistics_.reused;
        co_return std::move(*waited);
      }
      place = std::move((*waited)->place);  // of one that is of no use
      waited->reset();
    }
    if (connect_deadline != platform::never) {
      connect_deadline += loop_.now() - began;
    }
  }
  auto stream = co_await connector_.connect(until.at_most(connect_deadline));
  if (!stream) {
    co_return std::unexpected(std::move(stream.error()));
  }
  ++statistics_.opened;
  co_return std::make_unique<ClientResponse::Connection>(loop_, std::move(*stream), options_.read_ahead_bytes,
                                                         std::move(place), statistics_.open);
}

Task<Result<Client::ConnectionPtr>> Client::connect(const SendOptions& options, ClientFacts& facts, Until until) {
  ConnectionPtr connection = options.fresh_connection ? nullptr : take_idle();
  facts.reused_connection = connection != nullptr;
  if (connection == nullptr) {
    auto opened = co_await open(options, facts, until);
    if (!opened) {
      co_return std::unexpected(std::move(opened.error()));
    }
    connection = std::move(*opened);
  } else {
    ++statistics_.reused;
  }
  facts.connected = loop_.now();
  if (options.on_connected != nullptr && !(*options.on_connected)(*facts.connected)) {
    co_return fail(Code::cancelled, "nothing was sent");
  }
  co_return connection;
}

Task<Result<std::unique_ptr<ClientResponse>>> Client::send(const std::string& head,
                                                           std::span<const std::string_view> body, SendOptions options,
                                                           ClientFacts& facts, Until until) {
  auto connection = co_await connect(options, facts, until);
  if (!connection) {
    co_return std::unexpected(connection.error());
  }
  std::unique_ptr<ClientResponse> response(new ClientResponse(*this));
  response->connection_ = std::move(*connection);
  platform::ByteReader& reader = response->connection_->reader;

  std::vector<std::string_view>& message = response->connection_->message;
  message.assign({head});
  message.insert(message.end(), body.begin(), body.end());
  // A server may answer before it has read all, and then read no further, or close: its answer counts, so it ends the
  // sending, and a failed write is judged after a look at what came.
  platform::Cancellation sending(until.cancellation);
  reader.on_arrival([&] {
    if (reader.ended() || is_final_answer(reader.bytes())) {
      sending.cancel();
    }
  });
  const auto written = co_await response->connection_->writer.write(message, {until.deadline, &sending});
  reader.on_arrival(nullptr);
  response->request_sent_ = written.has_value();
  const bool given_up = until.cancellation != nullptr && until.cancellation->cancelled();
  if (!written && (written.error() == Code::timeout || given_up)) {
    co_return fail(given_up ? Code::cancelled : Code::timeout, "the request could not be sent in time");
  }

  ParseState state;
  bool interim_seen = false;
  while (true) {
    const std::string_view bytes = reader.bytes();
    const auto outcome = bytes.empty() ? ParseOutcome{}
                                       : parse_response_head(bytes, state, response->connection_->head, options.method,
                                                             options_.head_limits);
    if (outcome.kind == ParseOutcome::Kind::error) {
      co_return fail(Code::upstream_malformed, fmt::format("the answer's head is broken: {}", outcome.reason()));
    }
    if (outcome.kind == ParseOutcome::Kind::done) {
      if (response->connection_->head.status == 101) {
        co_return fail(Code::upstream_malformed, "it switched to another protocol, which nobody asked for");
      }
      if (response->connection_->head.is_interim()) {
        reader.consume(outcome.consumed);
        state = {};
        interim_seen = true;
        continue;
      }
      response->connection_->head_text.assign(bytes.substr(0, outcome.consumed));
      response->connection_->head.rebase(bytes.data(), response->connection_->head_text.data());
      reader.consume(outcome.consumed);
      break;
    }
    const auto arrived = co_await reader.more(bytes.size(), until);
    if (!arrived) {
      facts.closed_before_reply = !interim_seen && reader.bytes().empty() &&
                                  (arrived.error() == Code::end_of_stream || arrived.error() == Code::reset);
      co_return fail(arrived.error(), arrived.error() == Code::timeout ? "no answer came in time"
                                                                       : "the connection ended before an answer");
    }
  }
  response->left_ = response->connection_->head.content_length;
  response->ended_ = response->connection_->head.framing == BodyFraming::none ||
                     (response->connection_->head.framing == BodyFraming::length && response->left_ == 0);
  co_return response;
}

namespace {

Task<void> read_to_end(std::unique_ptr<ClientResponse> response, Until until) {
  std::size_t total = 0;
  while (!response->ended() && total <= linger_bytes_max) {
    const auto bytes = co_await response->read(until);
    if (!bytes) {
      break;
    }
    total += bytes->size();
  }
}

}  // namespace

void Client::linger(std::unique_ptr<ClientResponse> response) {
  if (!closed_) {
    lingering_.spawn("linger",
                     read_to_end(std::move(response), {loop_.now() + linger_time, &lingering_.cancellation()}));
  }
}

Task<void> Client::close() {
  closed_ = true;
  lingering_.cancel();
  co_await lingering_.join(platform::never);
  idle_.clear();
  idle_timer_->unlink();
  if (pool_ != nullptr) {
    options_.slots->leave(pool_);
  }
}

}  // namespace weir::http
