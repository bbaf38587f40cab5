#include "sim/upstream.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace weir::sim {

using namespace std::chrono_literals;

/// One connection from the gateway.
class Upstream::Conversation {
 public:
  Conversation(Upstream& upstream, std::unique_ptr<platform::Stream> stream)
      : upstream_(upstream),
        stream_(std::move(stream)),
        link_(platform::report_of(*stream_)),
        reader_(upstream.loop_, *stream_, {.initial_bytes = 4096, .bytes_max = std::size_t{1} << 20}),
        writer_(upstream.loop_, *stream_) {}
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() { stream_->close(); }

  Task<void> run() {
    reader_.on_end([this] { gone_.cancel(); });
    reader_.start();
    while (co_await one_request()) {
    }
  }

 private:
  [[nodiscard]] platform::Until always() { return {.cancellation = &gone_}; }
  History& history() { return upstream_.history_; }

  Task<bool> one_request() {
    Request request;
    if (!co_await read_request(request)) {
      co_return false;
    }
    call_ = &history().upstream_calls.emplace_back();
    call_->serial = ++history().next_serial;
    call_->upstream = upstream_.plan_.name;
    call_->call = request.call;
    call_->stream = request.stream;
    call_->usage_asked = request.usage;
    call_->key = request.key;
    call_->output_max = request.output_max;
    call_->received = upstream_.loop_.now();
    call_->link = link_;
    call_->first_on_connection = first_;
    call_->intent = upstream_.decide(request);
    first_ = false;
    keep_alive_ = true;
    if (request.early) {
      co_await answer_early();
      co_return false;
    }
    const bool goes_on = request.stream ? co_await answer_stream() : co_await answer_whole();
    if (!goes_on || !keep_alive_) {
      co_return false;
    }
    call_->ended = upstream_.loop_.now();
    if (upstream_.chance(upstream_.plan_.close_after_answer)) {
      co_await pause(upstream_.world_.pick({0us, 300ms}));
      if (!gone_.cancelled()) {
        const bool reset = upstream_.chance(0.5);
        history().reached.count(reset ? Upset::reset : Upset::fin, Phase::after_end);
        if (reset) {
          stream_->abort();
        } else {
          stream_->close();
        }
      }
      co_return false;
    }
    co_return true;
  }

  Task<bool> read_request(Request& request) {
    std::size_t head_end = std::string_view::npos;
    while (true) {
      head_end = reader_.bytes().find("\r\n\r\n");
      if (head_end != std::string_view::npos) {
        break;
      }
      if (!co_await reader_.more(reader_.bytes().size(), {})) {
        co_return false;
      }
    }
    constexpr std::string_view name = "content-length: ";
    std::string head(reader_.bytes().substr(0, head_end + 2));
    std::ranges::transform(head, head.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::size_t at = head.find(name);
    WEIR_ASSERT(at != std::string::npos, "the gateway sends bodies with their length");
    std::size_t length = 0;
    std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
    const std::size_t total = head_end + 4 + length;
    const std::size_t keys = upstream_.plan_.keys.size();
    while (request.key < keys && !head.contains("bearer " + key_value(upstream_.plan_.name, request.key) + "\r\n")) {
      ++request.key;
    }
    WEIR_ASSERT(request.key < keys, "the gateway sends a key of this upstream");
    const bool impatient = length > 1000 && upstream_.plan_.upset_share > 0 && upstream_.chance(0.2);
    while (reader_.bytes().size() < total) {
      if (impatient && reader_.bytes().substr(head_end + 4).contains(" p")) {
        request.early = true;  // its name stands before the padding
        break;
      }
      if (!co_await reader_.more(reader_.bytes().size(), {})) {
        co_return false;
      }
    }
    const std::string_view body = reader_.bytes().substr(head_end + 4, length);
    request.stream = body.contains("\"stream\":true");
    request.usage = body.contains("\"include_usage\":true");
    constexpr std::string_view most = "\"max_completion_tokens\":";
    if (const std::size_t said = body.find(most); said != std::string_view::npos) {
      std::from_chars(body.data() + said + most.size(), body.data() + body.size(), request.output_max.emplace(0));
    }
    const std::size_t id = body.find("call-");
    if (id != std::string_view::npos) {
      request.call = body.substr(id, body.find_first_not_of("0123456789", id + 5) - id);
      std::from_chars(body.data() + id + 5, body.data() + body.size(), request.number);
    }
    reader_.consume(std::min(total, reader_.bytes().size()));
    co_return true;
  }

  /// Says that it will not, before it knows all of what; then reads the rest for politeness, or just goes.
  Task<void> answer_early() {
    static_cast<void>(co_await answer_error());
    if (upstream_.chance(0.5)) {
      stream_->shutdown_send();
      const Instant patience = upstream_.loop_.now() + 2s;
      while ((co_await reader_.more(0, {.deadline = patience})).has_value()) {
        reader_.consume(reader_.bytes().size());
      }
    }
    call_->ended = upstream_.loop_.now();
  }

  // --- writing
  // --------------------------------------------------------------------------------------------------------

  Task<bool> write(std::string_view bytes) {
    if (bytes.size() > 1 && upstream_.chance(0.15)) {
      const std::size_t half = 1 + upstream_.random_.below(bytes.size() - 1);
      const std::string_view first[] = {bytes.substr(0, half)};
      if (!co_await writer_.write(first, always())) {
        co_return false;
      }
      co_await pause(upstream_.world_.pick({0us, 5ms}));
      bytes.remove_prefix(half);
    }
    for (; trickling_ > 0 && !bytes.empty(); --trickling_) {
      const std::string_view one[] = {bytes.substr(0, 1)};
      if (!co_await writer_.write(one, always())) {
        co_return false;
      }
      co_await pause(upstream_.world_.pick({0us, 30ms}));
      bytes.remove_prefix(1);
    }
    const std::string_view slices[] = {bytes};
    co_return (co_await writer_.write(slices, always())).has_value();
  }

  /// A part of the body, in the framing of this answer.
  Task<bool> write_body(std::string_view bytes) {
    if (!chunked_) {
      co_return co_await write(bytes);
    }
    co_return co_await write(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
  }

  Task<bool> end_body() {
    if (chunked_ && !co_await write("0\r\n\r\n")) {
      co_return false;
    }
    call_->body_ended = true;
    if (until_close_) {
      keep_alive_ = false;
      call_->ended = upstream_.loop_.now();
      stream_->close();
    }
    co_return true;
  }

  Task<void> pause(Duration time) {
    if (time > 0ns) {
      co_await platform::sleep(upstream_.loop_, {.deadline = upstream_.loop_.now() + time, .cancellation = &gone_});
    }
  }

  // --- misbehaving
  // ----------------------------------------------------------------------------------------------------

  /// Whether it is time to misbehave.
  [[nodiscard]] bool upset_now(Phase phase) const {
    return call_->intent.upset != Upset::none && call_->intent.phase == phase &&
           ((phase != Phase::after_content && phase != Phase::within_body) ||
            call_->words_sent == call_->intent.upset_after_words);
  }

  /// What all phases have in common; true if the answer goes on afterwards.
  Task<bool> misbehave(Phase phase) {
    history().reached.count(call_->intent.upset, phase);
    switch (call_->intent.upset) {
      case Upset::reset: stream_->abort(); co_return false;
      case Upset::fin: stream_->close(); co_return false;
      case Upset::silence: co_await platform::sleep(upstream_.loop_, always()); co_return false;
      case Upset::slow:
        co_await pause(call_->intent.slow_for);
        if (!gone_.cancelled() && upstream_.just_in_time(call_->intent, call_->stream)) {
          history().reached.count_slow_in_time(phase);
        }
        co_return !gone_.cancelled();
      case Upset::trickle: trickling_ = 60; co_return true;
      default: co_return true;
    }
  }

  Task<bool> answer_error() {
    const Intent& intent = call_->intent;
    history().reached.count(Upset::error, Phase::before_head);
    history().reached.count_status(intent.status, intent.retry_after.has_value(), intent.says);
    if (intent.early) {
      history().reached.count_early_error();
    }
    const std::string code = intent.says.empty() ? "null" : fmt::format("\"{}\"", intent.says);
    const std::string body =
        fmt::format(R"({{"error":{{"message":"upstream {} says {}","type":"server_error","param":null,"code":{}}}}})",
                    upstream_.plan_.name, intent.status, code);
    std::string head = fmt::format(
        "HTTP/1.1 {} Whatever\r\nContent-Type: application/json\r\nX-Request-Id: up-{}\r\nContent-Length: {}\r\n",
        intent.status, call_->serial, body.size());
    if (intent.retry_after) {
      head += fmt::format("Retry-After: {}\r\n", *intent.retry_after);
    }
    call_->body = body;
    if (!co_await write(head + "\r\n" + body)) {
      co_return false;
    }
    call_->body_ended = true;
    co_return true;
  }

  Task<bool> answer_nonsense() {
    const auto& [type, body] = upstream_.one_of<std::pair<std::string_view, std::string_view>>(
        {{"text/html", "<html><body>Welcome to the hotel network</body></html>"},
         {"application/json", R"({"id":"chatcmpl-1","choices":[{"index":0,)"},
         {"application/json", ""},
         {"text/event-stream", ""}});
    call_->body = body;
    if (!co_await write(
            fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\nX-Request-Id: up-{}\r\nContent-Length: {}\r\n\r\n{}",
                        type, call_->serial, body.size(), body))) {
      co_return false;
    }
    call_->body_ended = true;
    co_return true;
  }

  /// What comes before the head of any answer; nothing: go on.
  Task<std::optional<bool>> before_head() {
    co_await pause(upstream_.world_.pick(upstream_.plan_.pace));
    if (!upset_now(Phase::before_head)) {
      co_return std::nullopt;
    }
    if (call_->intent.upset == Upset::error) {
      co_return co_await answer_error();
    }
    if (!co_await misbehave(Phase::before_head)) {
      co_return false;
    }
    if (call_->intent.upset == Upset::nonsense) {
      co_return co_await answer_nonsense();
    }
    if (call_->intent.upset == Upset::malformed) {
      co_await write("HTTP/1.1 twohundred\r\nContent-Length: -1\r\n\r\n<html>");
      co_return false;
    }
    co_return std::nullopt;
  }

  // --- answers
  // --------------------------------------------------------------------------------------------------------

  /// A word of a text that every upstream gives, but for one word where it is altered.
  std::string same_word() const {
    const Intent& intent = call_->intent;
    std::string text = fmt::format("w{}.{}{}", intent.same_text, call_->words_sent,
                                   intent.altered_word == call_->words_sent ? ":" : ";");
    for (std::size_t i = 0; i < intent.filler_bytes; ++i) {
      text += "\xc3\xa9";
    }
    return text;
  }

  /// Some servers write everything beyond ASCII as escapes.
  std::string as_json(std::string_view text) {
    const bool escaped = upstream_.chance(0.5);
    std::string json;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (escaped && text[at] == '\xc3') {
        json += "\\u00e9";
        ++at;
      } else {
        json += text[at];
      }
    }
    return json;
  }

  /// The parts of a word that are sent as events of their own: servers split the same text differently.
  std::vector<std::string> pieces_of(const std::string& text) {
    if (call_->intent.same_text == 0 || !upstream_.chance(0.3)) {
      return {text};
    }
    const std::size_t half = 1 + upstream_.random_.below(text.find_first_of(";:"));
    return half == text.size() ? std::vector{text} : std::vector{text.substr(0, half), text.substr(half)};
  }

  std::string word() {
    if (call_->intent.same_text != 0) {
      return same_word();
    }
    return fmt::format("w{}.{};{}", call_->serial, call_->words_sent, std::string(call_->intent.filler_bytes, 'x'));
  }

  /// `last`: the body ends behind it in good order, and some servers then forget the empty line, or every line end.
  Task<bool> send_event(std::string data, bool last = false) {
    std::string_view end = crlf_ ? "\r\n\r\n" : "\n\n";
    if (last && upstream_.chance(0.3)) {
      end = end.substr(0, upstream_.random_.below(end.size()));
      history().reached.count_unended(end);
      unended_ = true;
    }
    const std::string event = fmt::format("data: {}{}", data, end);
    call_->events.push_back(std::move(data));  // noted before: also what is cut in its last blank line may count
    co_return co_await write_body(event);
  }

  std::string chunk(std::string_view delta, std::string_view finish_reason) const {
    return fmt::format(
        R"({{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":1800000000,"model":"{}-model",)"
        R"("choices":[{{"index":0,"delta":{},"logprobs":null,"finish_reason":{}}}]}})",
        call_->serial, upstream_.plan_.name, delta, finish_reason);
  }

  Task<bool> send_head(bool stream, std::optional<std::size_t> length) {
    chunked_ = !length && upstream_.chance(0.8);
    until_close_ = !length && !chunked_;
    crlf_ = upstream_.chance(0.2);
    unended_ = false;
    std::string head = upstream_.chance(0.05) ? "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" : "";
    head += fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\nX-Request-Id: up-{}\r\n",
                        stream ? "text/event-stream; charset=utf-8" : "application/json", call_->serial);
    head += length     ? fmt::format("Content-Length: {}\r\n\r\n", *length)
            : chunked_ ? "Transfer-Encoding: chunked\r\n\r\n"
                       : "Connection: close\r\n\r\n";
    co_return co_await write(head);
  }

  /// A stream that is cut may be cut inside an event, and a proxy in between may end the body as if nothing had
  /// happened.
  Task<bool> cut_stream(Phase phase) {
    if (!unended_ && upstream_.chance(0.7)) {
      const std::string event = fmt::format("data: {}", chunk(R"({"content":"half a word"})", "null"));
      const std::string_view part = std::string_view(event).substr(0, 1 + upstream_.random_.below(event.size() - 1));
      if (chunked_ && upstream_.chance(0.3)) {
        history().reached.count_truncated_chunk(phase);
        co_return co_await write(fmt::format("{:x}\r\n{}", event.size(), part)) && co_await misbehave(phase);
      }
      if (!co_await write_body(part)) {
        co_return false;
      }
      co_await pause(upstream_.world_.pick({0us, 5ms}));
    }
    if (!gone_.cancelled() && call_->intent.upset == Upset::fin && upstream_.chance(0.6)) {
      history().reached.count(Upset::fin, phase);
      co_return co_await end_body();
    }
    co_return !gone_.cancelled() && co_await misbehave(phase);
  }

  /// Misbehaves in a stream; nothing: go on with the answer.
  Task<std::optional<bool>> upset_stream(Phase phase) {
    if (!upset_now(phase)) {
      co_return std::nullopt;
    }
    if (call_->intent.upset == Upset::fin || call_->intent.upset == Upset::reset) {
      co_return co_await cut_stream(phase);
    }
    if (!co_await misbehave(phase)) {
      co_return false;
    }
    if (call_->intent.upset == Upset::malformed) {
      const bool goes_on = co_await write_body("data: {\"id\":\"chatcmpl-broken\",\"choices\":[{\"delta\":\n\n");
      call_->events.push_back("malformed");
      if (!goes_on) {
        co_return false;
      }
    }
    if (call_->intent.upset == Upset::error) {
      // Some servers do this: a success terminator behind the error.
      const bool done_behind = upstream_.chance(0.5);
      if (!co_await send_event(
              R"({"error":{"message":"upstream is unwell","type":"server_error","param":null,"code":"overloaded"}})",
              !done_behind)) {
        co_return false;
      }
      if (done_behind && !co_await send_event("[DONE]", true)) {
        co_return false;
      }
      co_return co_await end_body();
    }
    co_return std::nullopt;
  }

  Task<bool> answer_stream() {
    if (auto over = co_await before_head()) {
      co_return *over;
    }
    if (!co_await send_head(true, std::nullopt)) {
      co_return false;
    }
    // Some servers send the role with the first words, and sloppy ones not at all.
    const bool repeats = call_->intent.same_text != 0;
    const bool role_alone = upstream_.chance(repeats ? 0.4 : 0.7);
    bool role_due = !role_alone && upstream_.chance(repeats ? 0.8 : 0.5);
    if (role_alone) {
      co_await pause(upstream_.world_.pick(upstream_.plan_.pace));
      if (!co_await send_event(chunk(R"({"role":"assistant","content":"","refusal":null})", "null"))) {
        co_return false;
      }
    }
    if (auto over = co_await upset_stream(Phase::first_event_held)) {
      co_return *over;
    }
    const Intent& intent = call_->intent;
    std::string joined;
    while (call_->words_sent < intent.words) {
      if (joined.empty()) {
        co_await pause(upstream_.world_.pick(upstream_.plan_.pace));
      }
      if (upstream_.chance(0.1) && !co_await write_body(": still here\n\n")) {
        co_return false;
      }
      std::vector<std::string> pieces = pieces_of(word());
      if (pieces.size() == 2) {
        const std::string_view role = std::exchange(role_due, false) ? R"("role":"assistant",)" : "";
        call_->text += pieces[0];
        const std::string begun = std::exchange(joined, {}) + pieces[0];
        if (!co_await send_event(chunk(fmt::format(R"({{{}"content":"{}"}})", role, begun), "null"))) {
          co_return false;
        }
      }
      call_->text += pieces.back();
      ++call_->words_sent;
      const std::string next = std::exchange(joined, {}) + as_json(pieces.back());
      if (intent.same_text != 0 && call_->words_sent < intent.words && !upset_now(Phase::after_content) &&
          upstream_.chance(role_due ? 0.8 : 0.2)) {
        // Several words in one event, above all where it has the role: what is due may begin in its middle.
        joined = next;
        continue;
      }
      const bool cut_behind = intent.upset == Upset::fin && upset_now(Phase::after_content);
      const std::string_view role = std::exchange(role_due, false) ? R"("role":"assistant",)" : "";
      if (!co_await send_event(chunk(fmt::format(R"({{{}"content":"{}"}})", role, next), "null"), cut_behind)) {
        co_return false;
      }
      if (!call_->first_content) {
        call_->first_content = upstream_.loop_.now();
      }
      if (auto over = co_await upset_stream(Phase::after_content)) {
        co_return *over;
      }
    }
    trickling_ = 0;  // behind the finish the gateway waits for nobody
    call_->finish_sent = true;
    const bool done_missing = intent.upset == Upset::missing_done;
    const std::string usage =
        fmt::format(R"(,"usage":{{"prompt_tokens":7,"completion_tokens":{},"total_tokens":{}}}}})", call_->words_sent,
                    7 + call_->words_sent);
    std::string finish = chunk("{}", "\"stop\"");
    const bool usage_behind = call_->usage_asked && !intent.usage_in_finish;
    if (call_->usage_asked && intent.usage_in_finish) {
      finish.replace(finish.size() - 1, 1, usage);
    }
    if (!co_await send_event(std::move(finish), done_missing && !usage_behind)) {
      co_return false;
    }
    if (usage_behind &&
        !co_await send_event(
            fmt::format(
                R"({{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":1800000000,"model":"{}-model",)"
                R"("choices":[]{})",
                call_->serial, upstream_.plan_.name, usage),
            done_missing)) {
      co_return false;
    }
    if (done_missing) {
      history().reached.count(Upset::missing_done, Phase::after_content);
    } else {
      call_->done_sent = true;
      if (!co_await send_event("[DONE]", intent.upset != Upset::held_open)) {
        co_return false;
      }
    }
    if (intent.upset == Upset::held_open) {
      history().reached.count(Upset::held_open, Phase::after_end);
      call_->ended = upstream_.loop_.now();
      co_await platform::sleep(upstream_.loop_, always());
      co_return false;
    }
    co_return co_await end_body();
  }

  Task<bool> answer_whole() {
    if (auto over = co_await before_head()) {
      co_return *over;
    }
    const Intent& intent = call_->intent;
    std::vector<std::string> pieces = {fmt::format(
        R"({{"id":"chatcmpl-{}","object":"chat.completion","created":1800000000,"model":"{}-model","choices":[{{"index":0,)"
        R"("message":{{"role":"assistant","refusal":null,"content":")",
        call_->serial, upstream_.plan_.name)};
    std::size_t total = pieces.front().size();
    for (std::size_t i = 0; i < intent.words; ++i) {
      pieces.push_back(word());
      ++call_->words_sent;
    }
    call_->words_sent = 0;
    // Bad JSON that is no beginning of a good one: nobody could be still waiting for the rest.
    const bool malformed = intent.upset == Upset::malformed && intent.phase == Phase::within_body;
    pieces.push_back(fmt::format(
        R"("}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":7,"completion_tokens":{},"total_tokens":{}}}{})",
        intent.words, 7 + intent.words, malformed ? "]]" : "}"));
    for (std::size_t i = 1; i < pieces.size(); ++i) {
      total += pieces[i].size();
    }
    const bool wrong_length = intent.upset == Upset::wrong_length;
    const bool too_long = wrong_length && upstream_.chance(0.5);
    if (wrong_length) {
      history().reached.count(Upset::wrong_length, Phase::within_body);
      total = too_long ? total + 1 + upstream_.random_.below(100) : total - 1 - upstream_.random_.below(total / 2);
    }
    if (!co_await send_head(false, wrong_length || upstream_.chance(0.7) ? std::optional(total) : std::nullopt)) {
      co_return false;
    }
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      call_->words_sent = i;
      if (i < intent.words && !wrong_length && upset_now(Phase::within_body)) {
        if (!co_await misbehave(Phase::within_body)) {
          co_return false;
        }
      }
      call_->body += pieces[i];  // noted before: what is written in part counts as held, too
      if (!co_await write_body(pieces[i])) {
        co_return false;
      }
      co_await pause(upstream_.world_.pick(upstream_.plan_.pace));
    }
    call_->words_sent = intent.words;
    call_->finish_sent = call_->done_sent = !malformed && !wrong_length;
    if (!call_->first_content) {
      call_->first_content = upstream_.loop_.now();
    }
    if (too_long) {
      stream_->close();
      co_return false;
    }
    if (intent.upset == Upset::held_open && chunked_) {
      history().reached.count(Upset::held_open, Phase::after_end);
      co_await platform::sleep(upstream_.loop_, always());
      co_return false;
    }
    co_return co_await end_body();
  }

  Upstream& upstream_;
  std::unique_ptr<platform::Stream> stream_;
  std::shared_ptr<const platform::LinkReport> link_;
  platform::ByteReader reader_;
  platform::ByteWriter writer_;
  platform::Cancellation gone_;  // the gateway closed the connection, or it broke
  UpstreamCall* call_ = nullptr;
  bool first_ = true;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool until_close_ = false;
  bool crlf_ = false;
  bool unended_ = false;  // the last event lacks line ends
  int trickling_ = 0;     // bytes that still come one by one
};

Upstream::Upstream(platform::SimulatedWorld& world, platform::SimulatedLoop& loop, const UpstreamPlan& plan,
                   std::uint64_t seed, History& history)
    : world_(world), loop_(loop), plan_(plan), random_(seed), history_(history) {
  platform::LinkFaults link = plan.link;
  if (plan.dialling == Upset::silent_dial) {
    link.dial_silent = 1;
  }
  world.network().set_link(plan.address, link);
  if (plan.dialling != Upset::unreachable) {
    world.network().add_name(plan.name + ".test", plan.address);
  }
  if (plan.dialling != Upset::refused) {
    auto listener = loop.listen({plan.address, 80}, *this);
    WEIR_ASSERT(listener.has_value(), "each upstream has an address of its own");
    listener_ = std::move(*listener);
  }
}

void Upstream::on_accept(std::unique_ptr<platform::Accepted> connection) {
  if (plan_.dialling == Upset::reset || plan_.dialling == Upset::fin) {
    history_.reached.count(plan_.dialling, Phase::dialling);
    const auto stream = connection->open_on(loop_);
    if (plan_.dialling == Upset::reset) {
      stream->abort();
    }
    return;
  }
  connections_.emplace_back(loop_, serve(connection->open_on(loop_)));
}

Task<void> Upstream::serve(std::unique_ptr<platform::Stream> stream) {
  Conversation conversation(*this, std::move(stream));
  co_await conversation.run();
}

Duration Upstream::patience_with(const Intent& intent, bool stream) const {
  return !stream                                ? plan_.patience.attempt
         : intent.phase == Phase::after_content ? plan_.patience.between_events
                                                : plan_.patience.first_token;
}

bool Upstream::just_in_time(const Intent& intent, bool stream) const {
  const Duration limit = patience_with(intent, stream);
  return intent.slow_for < limit && intent.slow_for + 1500ms >= limit;
}

Intent Upstream::decide(const Request& request) {
  Intent intent;
  intent.words = 1 + random_.below(plan_.words_max);
  intent.filler_bytes = random_.below(plan_.filler_bytes_max + 1);
  if (request.stream && request.number >= same_text_from) {
    intent.same_text = request.number;
    intent.words = 1 + request.number * 7 % 30;
    intent.filler_bytes = request.number % 3 == 0 ? request.number % 50 : 0;
    if (chance(0.2)) {
      intent.altered_word = random_.below(intent.words);
    }
  }
  if (request.output_max) {
    // However its text is counted, it is no more than that.
    constexpr std::size_t tokens_of_a_word = 8;
    intent.words = std::clamp<std::size_t>(*request.output_max / tokens_of_a_word, 1, intent.words);
    intent.filler_bytes = 0;
  }
  if (intent.altered_word && *intent.altered_word >= intent.words) {
    intent.altered_word.reset();
  }
  intent.usage_in_finish = chance(0.2);
  intent.upset_after_words = random_.below(intent.words) + (request.stream ? 1 : 0);
  if (request.early) {
    intent.upset = Upset::error;
    intent.phase = Phase::before_head;
    intent.early = true;
    intent.status = one_of({500, 503, 529});
    return intent;
  }
  if (const KeyStanding standing = plan_.keys[request.key]; standing != KeyStanding::good) {
    intent.upset = Upset::error;
    intent.phase = Phase::before_head;
    intent.by_key = true;
    intent.status = standing == KeyStanding::refused ? one_of({401, 403}) : one_of({402, 429});
    intent.says = intent.status == 429 ? "insufficient_quota" : "";
    return intent;
  }
  if (!chance(plan_.upset_share)) {
    return intent;
  }
  intent.upset =
      plan_.only_slow ? Upset::slow
      : plan_.only_status || chance(0.2)
          ? Upset::error
          : one_of({Upset::reset, Upset::fin, Upset::silence, Upset::slow, Upset::malformed, Upset::error,
                    Upset::missing_done, Upset::held_open, Upset::nonsense, Upset::wrong_length, Upset::trickle});
  intent.phase = request.stream ? one_of({Phase::before_head, Phase::first_event_held, Phase::after_content})
                                : one_of({Phase::before_head, Phase::within_body});
  if (plan_.only_slow && request.stream) {
    intent.phase = one_of({Phase::before_head, Phase::first_event_held});
  }
  if (intent.upset == Upset::slow) {
    const Duration limit = patience_with(intent, request.stream);
    intent.slow_for = one_of({between(500ms, 12s), limit - between(100ms, 1500ms), limit + between(100ms, 1500ms)});
  }
  if (intent.upset == Upset::error && (plan_.only_status || !request.stream)) {
    intent.phase = Phase::before_head;
  }
  if (intent.upset == Upset::error && intent.phase == Phase::before_head) {
    intent.status = plan_.only_busy ? one_of({429, 503})
                                    : one_of({400, 401, 402, 403, 404, 408, 422, 429, 500, 502, 503, 504, 529});
    if ((intent.status == 429 || intent.status == 503) && chance(0.5)) {
      intent.retry_after = static_cast<int>(one_of<std::uint64_t>({0, 1, 2, 60}));
    }
    if (intent.status == 400) {
      intent.says = one_of<std::string_view>({"", context_window, "content_policy_violation"});
    } else if (intent.status == 429 && !plan_.only_busy && chance(0.3)) {
      intent.says = "insufficient_quota";
    }
  }
  if (intent.upset == Upset::wrong_length && request.stream) {
    intent.upset = Upset::nonsense;
  }
  if (intent.upset == Upset::nonsense) {
    intent.phase = Phase::before_head;
  }
  if (intent.upset == Upset::wrong_length) {
    intent.phase = Phase::within_body;
  }
  if (intent.upset == Upset::trickle && intent.phase == Phase::before_head) {
    intent.phase = request.stream ? Phase::first_event_held : Phase::within_body;
  }
  if (intent.upset == Upset::missing_done || intent.upset == Upset::held_open) {
    intent.phase = Phase::after_end;
    if (!request.stream && intent.upset == Upset::missing_done) {
      intent.upset = Upset::none;
    }
  }
  return intent;
}

}  // namespace weir::sim
