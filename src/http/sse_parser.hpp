// Server-sent events out of a stream of bytes, each with the very bytes it came in.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::http {

/// One event, or what stands between events.
struct SseEvent {
  /// The original bytes: from the first byte after the previous event up to and including the empty line that ends
  /// this one. The `bytes` of all events, in order, are the stream.
  std::string_view bytes;
  std::string_view data;   // the values of its `data` lines, joined with LF
  std::string_view event;  // the value of its last `event` line; empty: the default type, "message"
  bool has_data = false;   // it has a `data` line, if only an empty one: a client dispatches it
  /// No field at all: comments (heartbeats) or only line ends. A client shows nothing of it.
  bool comment_only = false;
  /// The stream ended before the empty line: only finish() gives such an event. The official SDKs drop it.
  bool unterminated = false;
};

/// Turns the bytes of a `text/event-stream` body into events.
///
/// Feed bytes as they come, cut anywhere, and take events until there is none before feeding again. An event that lies
/// whole in what was fed is a view into it; only what is incomplete is copied. No I/O, no clock. Not thread-safe.
///
/// The same bytes give the same events in any cut, with one exception that keeps events prompt: a last line end CR
/// whose LF has not arrived ends its event at once, and the LF, when it comes, is given as something of its own
/// (`bytes` is
/// "\n", `comment_only`). Holding the event back would delay it; leaving the LF to the next event would make a client
/// that waits for "\r\n\r\n" wait for the next event. Data, names and the sum of the bytes never differ.
///
/// Source: WHATWG HTML, "Server-sent events", "Parsing an event stream" (read 2026-08). `id` and `retry` are left in
/// the bytes and not interpreted.
class SseParser {
 public:
  /// `event_bytes_max`: the largest event accepted, in bytes, > 0.
  explicit SseParser(std::size_t event_bytes_max);

  /// `bytes` must stay in place until next() has given nothing: from then on the caller may reuse its buffer, but the
  /// events taken are views into it.
  void feed(std::string_view bytes);

  /// The next whole event; nothing when more bytes are needed; Code::upstream_malformed past the limit, and from then
  /// on. Views in the event live until the next feed() or finish(), as far as the fed bytes do.
  Result<std::optional<SseEvent>> next();

  /// The stream has ended: what is left of it, `unterminated`, or nothing. To be called when next() has given nothing.
  Result<std::optional<SseEvent>> finish();

  /// Bytes held of an event that has not ended.
  [[nodiscard]] std::size_t pending() const { return held().size() + (input_.size() - begin_); }

 private:
  // Finds the end of the event that begins at begin_ (or in held()), from scan_ on. True when found: it ends at scan_.
  bool find_event_end();
  SseEvent interpret(std::string_view bytes);
  void take_line(std::string_view line, SseEvent& event);
  void begin_event();
  [[nodiscard]] const std::string& held() const { return held_[current_]; }
  [[nodiscard]] std::unexpected<Error> too_large() const;

  std::size_t event_bytes_max_;
  std::string_view input_;  // what was fed last and not given yet begins at begin_
  std::size_t begin_ = 0;
  std::size_t scan_ = 0;

  // Where the scan stands within the event.
  bool line_is_empty_ = true;           // at the beginning of a line
  bool after_carriage_return_ = false;  // a LF now belongs to the line end before
  std::size_t lines_ = 0;               // lines with content that have ended
  std::size_t first_line_bytes_ = 0;

  bool at_stream_start_ = true;  // a byte order mark may stand here
  bool joining_ = false;         // the event being read has its data in joined_
  bool failed_ = false;

  // Two, because an event that was completed in the one is still in use while the rest of the input goes to the other.
  std::array<std::string, 2> held_;
  std::size_t current_ = 0;
  std::string joined_;  // data of several lines; reserved so that it never moves while events are in use
};

}  // namespace weir::http
