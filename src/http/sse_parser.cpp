#include "http/sse_parser.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/characters.hpp"

namespace weir::http {

SseParser::SseParser(std::size_t event_bytes_max) : event_bytes_max_(event_bytes_max) {
  WEIR_ASSERT(event_bytes_max > 0, "an event has at least one byte");
}

void SseParser::feed(std::string_view bytes) {
  WEIR_ASSERT(failed_ || begin_ == input_.size(), "what was fed before has not been taken");
  if (failed_) {
    return;
  }
  input_ = bytes;
  begin_ = 0;
  scan_ = 0;
  held_[1 - current_].clear();
  joined_.clear();
}

bool SseParser::find_event_end() {
  const char* const base = input_.data();
  const char* const end = base + input_.size();
  const char* p = base + scan_;
  while (p != end) {
    if (after_carriage_return_) {
      after_carriage_return_ = false;
      if (*p == '\n') {
        ++p;
        if (held().empty() && p == base + begin_ + 1) {
          // The event before was given without its LF.
          scan_ = static_cast<std::size_t>(p - base);
          return true;
        }
        continue;
      }
    }
    const char* const line_end = line_is_empty_ && (*p == '\r' || *p == '\n') ? p : find_line_end(p, end);
    if (line_end == end) {
      line_is_empty_ = false;
      p = end;
      break;
    }
    const bool ends_event = line_is_empty_ && line_end == p;
    if (!ends_event && lines_++ == 0) {
      first_line_bytes_ = held().size() + static_cast<std::size_t>(line_end - (base + begin_));
    }
    p = line_end + 1;
    if (*line_end == '\r') {
      if (p == end) {
        after_carriage_return_ = true;
      } else if (*p == '\n') {
        ++p;
      }
    }
    line_is_empty_ = true;
    if (ends_event) {
      scan_ = static_cast<std::size_t>(p - base);
      return true;
    }
  }
  scan_ = static_cast<std::size_t>(p - base);
  return false;
}

std::unexpected<Error> SseParser::too_large() const {
  return fail(Code::upstream_malformed,
              fmt::format("an event of the stream is larger than {} bytes", event_bytes_max_));
}

void SseParser::begin_event() {
  begin_ = scan_;
  lines_ = 0;
  first_line_bytes_ = 0;
}

Result<std::optional<SseEvent>> SseParser::next() {
  if (failed_) {
    return too_large();
  }
  if (begin_ == input_.size()) {
    return std::nullopt;
  }
  const bool found = find_event_end();
  const std::string_view piece = input_.substr(begin_, scan_ - begin_);
  // The LF behind a last CR does not count: whether it belongs to this event depends on the cut.
  const std::size_t uncounted = found && piece.ends_with("\r\n") ? 1 : 0;
  if (held().size() + piece.size() - uncounted > event_bytes_max_) {
    failed_ = true;
    return too_large();
  }
  if (!found) {
    held_[current_].append(piece);
    begin_ = scan_;
    return std::nullopt;
  }
  std::string_view bytes = piece;
  if (!held().empty()) {
    bytes = held_[current_].append(piece);
    current_ = 1 - current_;
  }
  const SseEvent event = interpret(bytes);
  begin_event();
  return event;
}

Result<std::optional<SseEvent>> SseParser::finish() {
  if (failed_) {
    return too_large();
  }
  WEIR_ASSERT(begin_ == input_.size(), "what was fed before has not been taken");
  if (held().empty()) {
    return std::nullopt;
  }
  joined_.clear();
  SseEvent event = interpret(held());
  event.unterminated = true;
  current_ = 1 - current_;
  held_[current_].clear();
  begin_event();
  line_is_empty_ = true;
  after_carriage_return_ = false;
  return event;
}

SseEvent SseParser::interpret(std::string_view bytes) {
  SseEvent event{.bytes = bytes, .comment_only = true};
  joining_ = false;
  std::string_view rest = bytes;
  std::size_t first_line_bytes = first_line_bytes_;
  if (at_stream_start_) {
    at_stream_start_ = false;
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (rest.starts_with(byte_order_mark)) {
      rest.remove_prefix(byte_order_mark.size());
      first_line_bytes -= std::min(first_line_bytes, byte_order_mark.size());
    }
  }
  if (lines_ == 1 && line_is_empty_) {
    // Nearly every event of every provider: one line and the empty one.
    take_line(rest.substr(0, first_line_bytes), event);
    return event;
  }
  const char* p = rest.data();
  const char* const end = p + rest.size();
  while (p != end) {
    const char* const line_end = find_line_end(p, end);
    take_line({p, static_cast<std::size_t>(line_end - p)}, event);
    p = line_end == end ? end : line_end + 1;
  }
  return event;
}

void SseParser::take_line(std::string_view line, SseEvent& event) {
  if (line.empty() || line.front() == ':') {
    return;  // nothing, the second half of a CRLF, or a comment
  }
  event.comment_only = false;
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) {
    value = line.substr(colon + 1);
    if (value.starts_with(' ')) {
      value.remove_prefix(1);
    }
  }
  if (name == "event") {
    event.event = value;
  } else if (name == "data") {
    if (!event.has_data) {
      event.has_data = true;
      event.data = value;
      return;
    }
    // All data of all events of one feed fits: it is less than the bytes that they lie in.
    if (joined_.empty()) {
      joined_.reserve(held_[0].size() + held_[1].size() + input_.size());
    }
    if (!joining_) {
      joining_ = true;
      const std::size_t begin = joined_.size();
      joined_.append(event.data);
      event.data = {joined_.data() + begin, event.data.size()};
    }
    joined_.push_back('\n');
    joined_.append(value);
    event.data = {event.data.data(), event.data.size() + 1 + value.size()};
  }
}

}  // namespace weir::http
