#include "sim/client.hpp"

#include <fmt/format.h>

#include <charconv>

namespace weir::sim {

using namespace std::chrono_literals;

class Client::Connection {
 public:
  Connection(platform::Loop& loop, std::unique_ptr<platform::Stream> connected, std::size_t read_bytes_max)
      : stream(std::move(connected)),
        link(platform::report_of(*stream)),
        reader(loop, *stream,
               {.initial_bytes = std::min<std::size_t>(4096, read_bytes_max), .bytes_max = read_bytes_max}),
        writer(loop, *stream) {
    reader.start();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { stream->close(); }

  std::unique_ptr<platform::Stream> stream;
  std::shared_ptr<const platform::LinkReport> link;
  platform::ByteReader reader;
  platform::ByteWriter writer;
  std::string unread;  // taken from the reader, and not yet by a response
};

Client::Client(platform::SimulatedWorld& world, platform::SimulatedLoop& loop, const ClientPlan& plan, Options options,
               History& history)
    : world_(world), loop_(loop), plan_(plan), options_(std::move(options)), history_(history) {}

std::string Client::body_for(const CallPlan& plan) {
  return fmt::format(R"({{"model":"{}","messages":[{{"role":"user","content":"{} {}"}}]{}{}{}}})", plan.model, plan.id,
                     std::string(plan.padding_bytes, 'p'), plan.stream ? R"(,"stream":true)" : "",
                     plan.stream && plan.usage ? R"(,"stream_options":{"include_usage":true})" : "",
                     plan.output_max > 0 ? fmt::format(R"(,"max_completion_tokens":{})", plan.output_max) : "");
}

std::string Client::request_for(const CallPlan& plan, std::string body) {
  std::string framing = fmt::format("Content-Length: {}", body.size());
  if (plan.chunked) {
    framing = "Transfer-Encoding: chunked";
    const std::size_t half = body.size() / 2;
    body = fmt::format("{:x}\r\n{}\r\n{:X};extension=1\r\n{}\r\n0\r\n\r\n", half, body.substr(0, half),
                       body.size() - half, body.substr(half));
  }
  return fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: weir.test\r\nContent-Type: application/json\r\nX-Request-Id: "
      "{}\r\n{}{}\r\n\r\n{}",
      plan.id, plan.key.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", plan.key), framing, body);
}

Task<void> Client::run() {
  co_await platform::sleep(loop_, {.deadline = loop_.now() + plan_.starts_after});
  std::size_t next = 0;
  while (next < plan_.calls.size()) {
    auto dialled = co_await loop_.dial(options_.gateway, {.deadline = loop_.now() + options_.patience});
    if (!dialled && plan_.dials_again) {
      co_await platform::sleep(loop_, {.deadline = loop_.now() + *plan_.dials_again});
      continue;
    }
    if (!dialled) {
      co_return;  // the gateway has stopped listening
    }
    Connection connection(loop_, std::move(*dialled), plan_.read_bytes_max);
    bool usable = true;
    while (usable && next < plan_.calls.size()) {
      const std::size_t first = next++;
      while (next < plan_.calls.size() && plan_.calls[next].pipelined) {
        ++next;
      }
      const std::size_t at = history_.client_calls.size();
      usable = co_await call_over(connection, first, next);
      const Duration pause = pause_behind(history_.client_calls[at]);
      if (usable && pause > 0ns) {
        co_await platform::sleep(loop_, {.deadline = loop_.now() + pause});
        options_.idle();
      }
    }
  }
}

Duration Client::pause_behind(const ClientCall& call) const {
  const auto told = call.headers.find("retry-after");
  int seconds = 0;
  if (!plan_.comes_back_as_told || told == call.headers.end() ||
      std::from_chars(told->second.data(), told->second.data() + told->second.size(), seconds).ec != std::errc()) {
    return plan_.pause;
  }
  return std::chrono::seconds(seconds);
}

/// The calls from `first` to before `last`, sent together; false if the connection is of no further use.
Task<bool> Client::call_over(Connection& connection, std::size_t first, std::size_t last) {
  std::vector<ClientCall*> calls;
  for (std::size_t i = first; i < last; ++i) {
    ClientCall& call = history_.client_calls.emplace_back();
    call.plan = plan_.calls[i];
    call.started = loop_.now();
    call.link = connection.link;
    calls.push_back(&call);
    std::string body = body_for(call.plan);
    call.body_bytes = body.size();
    const std::string request = request_for(call.plan, std::move(body));
    if (!co_await send(connection, call, request)) {
      co_return false;
    }
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    calls[i]->plan.pipelined = calls.size() > 1;
    if (!co_await receive(connection, *calls[i])) {
      for (std::size_t later = i + 1; later < calls.size(); ++later) {
        calls[later]->left = calls[i]->left;
        calls[later]->connection_end = calls[i]->connection_end;
        calls[later]->abandoned = true;
      }
      co_return false;
    }
  }
  co_return true;
}

void Client::leave(Connection& connection, ClientCall& call, ClientPhase phase) {
  history_.reached.count(*call.plan.leave, call.plan.pipelined ? ClientPhase::pipelined : phase);
  call.left = loop_.now();
  if (*call.plan.leave == Mischief::leave_reset) {
    connection.stream->abort();
  } else {
    connection.stream->close();
  }
}

Task<bool> Client::send(Connection& connection, ClientCall& call, std::string_view request) {
  const CallPlan& plan = call.plan;
  const bool leaves = plan.leave && plan.leave_phase == ClientPhase::sending;
  if (leaves) {
    request = request.substr(0, 1 + world_.choices().below(request.size() - 1));
  }
  const std::size_t piece = request.size() / plan.send_pieces + 1;
  while (!request.empty()) {
    const std::string_view slices[] = {request.substr(0, piece)};
    const auto written = co_await connection.writer.write(slices, {.deadline = call.started + options_.patience});
    if (!written) {
      call.connection_end = written.error();
      call.out_of_patience = written.error() == Code::timeout;
      co_return false;
    }
    request.remove_prefix(slices[0].size());
    if (!request.empty() && plan.send_pause > 0ns) {
      co_await platform::sleep(loop_, {.deadline = loop_.now() + plan.send_pause});
    }
  }
  if (leaves) {
    leave(connection, call, ClientPhase::sending);
    co_return false;
  }
  call.sent = loop_.now();
  co_return true;
}

namespace {

std::size_t words_in(std::string_view body) {
  std::size_t count = 0;
  for (std::size_t at = body.find("\"content\":\"w"); at != std::string_view::npos;
       at = body.find("\"content\":\"w", at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace

Task<bool> Client::receive(Connection& connection, ClientCall& call) {
  const CallPlan& plan = call.plan;
  const Instant end_of_patience = loop_.now() + options_.patience;
  ResponseReader response;
  if (plan.read_pause > 0ns) {
    history_.reached.count(Mischief::slow_reading, ClientPhase::receiving);
  }
  bool goes_on = true;
  Instant next_pause = loop_.now();
  while (true) {
    response.take(connection.unread);
    if (response.head_done() && !call.head_at) {
      call.head_at = loop_.now();
    }
    if (!call.first_content_at && response.body().contains("\"content\":\"w")) {
      call.first_content_at = loop_.now();
    }
    if (response.ended() || !response.broken().empty() || !goes_on) {
      break;
    }
    if (plan.leave && plan.leave_phase == ClientPhase::receiving && response.head_done() &&
        words_in(response.body()) >= plan.leave_after_words) {
      leave(connection, call, ClientPhase::receiving);
      break;
    }
    Instant deadline = end_of_patience;
    const bool waits_to_leave = plan.leave && plan.leave_phase == ClientPhase::waiting && !response.head_done();
    if (waits_to_leave) {
      deadline = std::min(deadline, *call.sent + plan.leave_after);
    }
    if (plan.read_pause > 0ns && loop_.now() >= next_pause) {
      co_await platform::sleep(loop_, {.deadline = std::min(deadline, loop_.now() + plan.read_pause)});
      next_pause = loop_.now() + plan.read_spurt;
    }
    const auto more = co_await connection.reader.more(0, {.deadline = deadline});
    if (!more && more.error() == Code::timeout && waits_to_leave) {
      leave(connection, call, ClientPhase::waiting);
      break;
    }
    if (!more && connection.reader.bytes().empty()) {
      call.out_of_patience = more.error() == Code::timeout;
      call.connection_end = more.error();
      if (more.error() == Code::end_of_stream) {
        response.end_of_input();
      }
      goes_on = false;
      continue;
    }
    connection.unread += connection.reader.bytes();
    connection.reader.consume(connection.reader.bytes().size());
  }
  call.status = response.status();
  call.headers = response.headers();
  call.body = response.body();
  call.broken_framing = response.broken();
  call.between_chunks = response.between_chunks() && connection.unread.empty();
  if (response.ended()) {
    call.ended_at = loop_.now();
  }
  if (response.ended() && plan.leave && plan.leave_phase == ClientPhase::idle) {
    leave(connection, call, ClientPhase::idle);
  }
  const auto connection_header = call.headers.find("connection");
  co_return response.ended() && !call.left &&
      (connection_header == call.headers.end() || connection_header->second != "close");
}

}  // namespace weir::sim
