// The relay of a streamed answer: whole events, held until the first one with content, then each at once.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/attempt.hpp"

namespace weir::gateway {

using platform::Instant;
using providers::UpstreamReply;

namespace {

constexpr std::string_view done_event = "data: [DONE]\n\n";
constexpr auto usage_tail = std::chrono::milliseconds(250);  // for usage that comes after we ended the caller's stream

}  // namespace

std::string_view Attempt::rewritten(const http::SseEvent& event, std::span<const std::string_view> parts) {
  scratch_.clear();
  const char* data = event.data.data();
  if (data >= event.bytes.data() && data + event.data.size() <= event.bytes.data() + event.bytes.size()) {
    // One data line: the data is a view into the bytes.
    const auto at = static_cast<std::size_t>(data - event.bytes.data());
    scratch_.append(event.bytes.substr(0, at));
    for (const std::string_view part : parts) {
      scratch_.append(part);
    }
    scratch_.append(event.bytes.substr(at + event.data.size()));
    return scratch_;
  }
  // Several data lines were joined into one text: each line of it gets its own field again.
  if (!event.event.empty()) {
    scratch_.append("event: ").append(event.event).append("\n");
  }
  scratch_.append("data: ");
  for (const std::string_view part : parts) {
    for (const char c : part) {
      scratch_.push_back(c);
      if (c == '\n') {
        scratch_.append("data: ");
      }
    }
  }
  scratch_.append("\n\n");
  return scratch_;
}

std::string_view Attempt::relayed(const http::SseEvent& event, const openai::ChunkFacts& facts,
                                  const openai::Relay& relay) {
  const bool cut = relay.how == openai::Relay::How::cut;
  // Only chat completions have streams that are known to be sloppy.
  if (mender_.wants(facts) && context_.call.endpoint.operation == &openai::chat_completion) {
    if (const auto mended = this->mended(event, cut ? std::optional(relay.span) : std::nullopt)) {
      return *mended;
    }
  }
  if (cut) {
    return rewritten(event, std::array{event.data.substr(0, relay.span.offset), event.data.substr(relay.span.end())});
  }
  return event.bytes;
}

std::optional<std::string_view> Attempt::mended(const http::SseEvent& event, std::optional<text::Span> cut) {
  std::vector<openai::Edit> edits;
  const openai::MendSet mended = mender_.mend(event.data, cut.has_value(), edits);
  if (mended.none()) {
    return std::nullopt;
  }
  row().mended.resize(mended.size());
  for (std::size_t i = 0; i < mended.size(); ++i) {
    row().mended[i] += mended.test(i) ? 1 : 0;
  }
  if (cut) {
    // Behind an insertion at the same place.
    const auto place = std::ranges::upper_bound(edits, cut->offset, {}, &openai::Edit::offset);
    edits.insert(place, {.offset = cut->offset, .length = cut->length, .replacement = {}});
  }
  std::vector<std::string_view> parts;
  openai::slices(event.data, edits, parts);
  return rewritten(event, parts);
}

bool Attempt::is_whole() const {
  // A server may send its choices one after the other: the first one's end is not the answer's.
  return chat_.all_finished() && chat_.choices_finished() >= context_.call.request.choices_asked();
}

/// Until when the next event must have come. `event_came`: one has, and was dealt with just now.
Instant Attempt::next_event_deadline(bool event_came) {
  const routing::Timeouts& timeouts = turn_.candidate.target->timeouts;
  const Instant now = context_.core.loop.now();
  if (event_came) {
    event_at_ = now;
  }
  if (!is_whole()) {
    // Whole events count, not bytes: a server that lets one trickle has fallen silent too.
    const bool begun = committed_ || (continuation_ && chat_.content_seen());
    return begun ? event_at_ + timeouts.between_events : began_ + timeouts.first_token;
  }
  // Counted from the last event, and in all from the finish: heartbeats hold no caller up, whoever sends them.
  const std::chrono::milliseconds usage_grace = std::max(context_.core.relay.usage_grace, timeouts.after_finish);
  if (!whole_since_) {
    whole_since_ = now;
  }
  if (std::exchange(events_counted_, row().events) != row().events) {
    last_event_ = now;
  }
  const bool usage_missing = context_.call.request.include_usage && !chat_.usage();
  return std::min(last_event_ + (usage_missing ? usage_grace : timeouts.after_finish), *whole_since_ + usage_grace);
}

Task<AttemptResult> Attempt::relay_stream(std::unique_ptr<UpstreamReply> reply) {
  http::SseParser parser(context_.core.relay.event_bytes_max);
  bool body_ended = false;
  bool event_came = false;
  while (!body_ended) {
    const auto bytes = co_await read(*reply, next_event_deadline(event_came));
    if (!bytes) {
      co_return co_await stream_stopped(bytes.error(), *reply);
    }
    body_ended = bytes->empty();
    if (!body_ended && row().response_bytes == bytes->size() && bytes->front() == '{') {
      co_return co_await no_stream(std::move(reply), std::string(*bytes));  // no event begins so: only its type says it
    }
    if (!body_ended) {
      parser.feed(*bytes);
    }
    event_came = false;
    while (true) {
      const auto event = body_ended ? parser.finish() : parser.next();
      if (!event) {
        co_return co_await stream_stopped(event.error(), *reply);
      }
      if (!*event) {
        break;
      }
      event_came = true;
      if (auto result = co_await take_event(**event, *reply)) {
        if (result->kind == AttemptResult::Kind::delivered) {
          reply->finish();
        }
        co_return std::move(*result);
      }
      if (body_ended) {
        break;
      }
    }
  }
  co_return co_await stream_stopped(
      {.code = Code::end_of_stream, .message = "the stream ended without a finish reason"}, *reply);
}

Task<std::optional<AttemptResult>> Attempt::take_event(const http::SseEvent& event, UpstreamReply& reply) {
  if (!event.has_data) {
    // A heartbeat: of no use before there is an answer, passed on as it is afterwards. A line feed that was cut off
    // from the end of a held event belongs to it.
    if (committed_ && !event.unterminated) {
      co_return co_await deliver(event.bytes, false, reply);
    }
    if (event.bytes == "\n" && !held_.empty() && held_.back().ends_with('\r')) {
      held_.back() += event.bytes;
    }
    co_return std::nullopt;
  }
  if (event.data.empty()) {
    co_return std::nullopt;  // some servers' heartbeat, and broken JSON to every client
  }
  ++row().events;
  const openai::ChunkFacts facts = inspector_.inspect(event.data);
  const openai::Relay relay = chat_.take(facts);
  if (chat_.usage()) {
    row().usage = *chat_.usage();
  }
  if (!facts.service_tier_raw.empty()) {
    row().tier = ledger::tier_of(facts.service_tier_raw);
  }
  if (facts.malformed) {
    if (event.unterminated) {
      co_return co_await stream_stopped({.code = Code::end_of_stream, .message = "the stream ended inside an event"},
                                        reply);
    }
    co_return co_await stream_stopped(
        {.code = Code::upstream_malformed, .message = fmt::format("an event is malformed: {}", facts.malformed_why)},
        reply);
  }
  if (facts.error) {
    if (!committed_) {
      co_return failed_in_success(event.data, "it reported an error in the stream");
    }
    co_return co_await stream_stopped({.code = Code::upstream_error,
                                       .message = "it reported an error in the stream",
                                       .upstream_words = facts.error->message},
                                      reply);
  }
  std::string_view bytes = relay.how == openai::Relay::How::swallow ? event.bytes : relayed(event, facts, relay);
  std::string terminated;
  if (event.unterminated && !bytes.ends_with("\n\n")) {
    terminated.assign(bytes).append(bytes.ends_with('\n') ? "\n" : "\n\n");
    bytes = terminated;
  }
  if (facts.done) {
    if (bytes.ends_with('\r') && bytes.contains("\r\n")) {
      terminated.assign(bytes).append("\n");  // cut off from the last line end, and not worth waiting for
      bytes = terminated;
    }
    if (continuation_ && !committed_) {
      co_return co_await go_on_to_end(bytes);
    }
    if (!committed_ && chat_.choices_finished() == 0) {
      co_return failed(Code::upstream_malformed, "it ended the stream without an answer");
    }
    co_return co_await deliver_end(bytes, reply);
  }
  if (relay.how == openai::Relay::How::swallow) {
    co_return std::nullopt;
  }
  if (continuation_) {
    co_return co_await go_on(bytes);
  }
  if (facts.content_bearing && turn_.delivered != nullptr) {
    turn_.delivered->note(event.data, &inspector_);
  }
  co_return co_await deliver(bytes, facts.content_bearing, reply);
}

Task<std::optional<AttemptResult>> Attempt::deliver(std::string_view event, bool content, UpstreamReply& reply) {
  if (!committed_ && !content) {
    held_bytes_ += event.size();
    if (held_bytes_ > context_.core.relay.held_bytes_max) {
      co_return failed(Code::upstream_malformed, "it sent too much before its first content");
    }
    if (!charge(held_bytes_)) {
      co_return failed(Code::overloaded, "the gateway has no memory left to hold its answer");
    }
    held_.emplace_back(event);
    co_return std::nullopt;
  }
  ReplySink::Outcome sent;
  if (!committed_) {
    commit(reply, true, std::nullopt);
    std::vector<std::string_view> events(held_.begin(), held_.end());
    events.push_back(event);
    for (ReplyTee* tee : context_.core.tees) {
      for (const std::string_view one : events) {
        tee->delivered(context_.call, one);
      }
    }
    sent = co_await context_.sink.events(events);
    held_ = {};
    held_lease_ = {};
  } else {
    for (ReplyTee* tee : context_.core.tees) {
      tee->delivered(context_.call, event);
    }
    sent = co_await context_.sink.events({&event, 1});
  }
  if (!sent) {
    co_return left();
  }
  co_return std::nullopt;
}

Task<AttemptResult> Attempt::deliver_end(std::string_view last, UpstreamReply& reply) {
  if (!committed_) {
    // A stream without any content that its provider calls whole is whole.
    if (auto result = co_await deliver({}, true, reply)) {
      co_return std::move(*result);
    }
  }
  for (ReplyTee* tee : context_.core.tees) {
    tee->delivered(context_.call, last);
  }
  if (!co_await context_.sink.end(last)) {
    co_return left();
  }
  co_return complete();
}

/// The stream gave no further event: because its time was over, because it broke, or because it ended.
Task<AttemptResult> Attempt::stream_stopped(Error error, UpstreamReply& reply) {
  if (error.code == Code::cancelled) {
    co_return left();
  }
  // What cannot be read behind the finish is no part of the answer; an error that is reported there is.
  const bool went_silent = error.code == Code::timeout || error.code == Code::end_of_stream ||
                           error.code == Code::reset || (error.code == Code::upstream_malformed && committed_);
  if (is_whole() && went_silent && (committed_ || !continuation_)) {
    AttemptResult result = co_await deliver_end(done_event, reply);
    if (result.kind == AttemptResult::Kind::delivered && error.code == Code::timeout && !chat_.usage()) {
      http::SseParser parser(context_.core.relay.event_bytes_max);
      const auto tail = co_await read(reply, context_.core.loop.now() + usage_tail);
      if (tail) {
        parser.feed(*tail);
        for (auto event = parser.next(); event && *event; event = parser.next()) {
          chat_.take(context_.call.operation().inspect_chunk((*event)->data));
        }
        row().usage = chat_.usage().value_or(llm::Usage{});
      }
    }
    co_return result;
  }
  if (error.code == Code::timeout) {
    const bool begun = committed_ || (continuation_ && chat_.content_seen());
    error.message =
        begun ? "nothing came for longer than timeouts.between_events" : "no content came within timeouts.first_token";
    if (context_.core.loop.now() >= context_.deadline) {
      error.message = "the call took longer than timeouts.total";
    }
  }
  if (committed_) {
    co_return broken(error.code, std::move(error.message), std::move(error.upstream_words));
  }
  co_return failed(error.code, std::move(error.message), std::move(error.upstream_words));
}

}  // namespace weir::gateway
