// LINKS: weir_http
//
// Event streams, read by our parser and by a literal transcript of the WHATWG algorithm as the second opinion.
//
// Checked for each input: the bytes of the events, in order, are the input; in pieces it gives the same data and names;
// what a browser would dispatch is what ours gives with has_data, in the same order; with a small limit a cut does not
// change which events come before the error.
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/assert.hpp"
#include "cuts.hpp"
#include "http/sse_parser.hpp"

namespace {

using weir::http::SseEvent;
using weir::http::SseParser;

struct Seen {
  std::string data;
  std::string event;
  bool has_data = false;
  bool unterminated = false;
  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Stream {
  std::vector<Seen> events;  // without comments
  std::string bytes;
  bool failed = false;
};

Stream read(std::string_view input, const std::vector<std::size_t>& ends, std::size_t event_bytes_max) {
  SseParser parser(event_bytes_max);
  Stream stream;
  std::vector<SseEvent> ready;
  const auto take_ready = [&] {
    for (const SseEvent& event : ready) {
      WEIR_ASSERT(!event.bytes.empty(), "an event has bytes");
      WEIR_ASSERT(event.has_data || event.data.empty(), "data without a data line");
      WEIR_ASSERT(!event.comment_only || (!event.has_data && event.event.empty()), "a comment has no fields");
      stream.bytes += event.bytes;
      if (!event.comment_only) {
        stream.events.push_back(
            {std::string(event.data), std::string(event.event), event.has_data, event.unterminated});
      }
    }
    ready.clear();
  };
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    const std::vector<char> piece(input.begin() + static_cast<std::ptrdiff_t>(begin),
                                  input.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
    parser.feed({piece.data(), piece.size()});
    for (;;) {
      const auto event = parser.next();
      if (!event) {
        take_ready();
        stream.failed = true;
        return stream;
      }
      if (!*event) {
        break;
      }
      ready.push_back(**event);
    }
    take_ready();  // all views of one feed are read after its last next()
  }
  const auto rest = parser.finish();
  WEIR_ASSERT(rest, "finish fails only after next failed");
  if (*rest) {
    WEIR_ASSERT((*rest)->unterminated, "finish gives what was not ended");
    ready.push_back(**rest);
    take_ready();
  }
  return stream;
}

// HTML, "9.2.6 Interpreting an event stream" (read 2026-08), word by word and on the whole text at once.
std::vector<Seen> as_a_browser(std::string_view input) {
  if (input.starts_with("\xEF\xBB\xBF")) {
    input.remove_prefix(3);
  }
  std::vector<Seen> dispatched;
  std::string data;
  std::string type;
  for (;;) {
    const std::size_t end = input.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      return dispatched;  // an incomplete line, and with it the pending event, is discarded
    }
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(end + (input.substr(end).starts_with("\r\n") ? 2 : 1));
    if (line.empty()) {
      if (!data.empty()) {
        data.pop_back();
        dispatched.push_back({.data = data, .event = type, .has_data = true});
      }
      data.clear();
      type.clear();
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == 0) {
      continue;
    }
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) {
      value.remove_prefix(1);
    }
    if (field == "event") {
      type = value;
    } else if (field == "data") {
      data += value;
      data += '\n';
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  weir::fuzz::Dice dice(input);
  constexpr std::size_t ample = 64 * 1024 * 1024;

  const Stream whole = read(input, {size}, ample);
  WEIR_ASSERT(!whole.failed, "an error without a reason");
  WEIR_ASSERT(whole.bytes == input, "the bytes of the events are not the input");
  const Stream cut = read(input, weir::fuzz::cuts(size, dice), ample);
  WEIR_ASSERT(cut.bytes == input, "a cut loses or invents bytes");
  WEIR_ASSERT(cut.events == whole.events, "a cut changes the events");

  std::vector<Seen> shown;
  for (const Seen& event : whole.events) {
    if (event.has_data && !event.unterminated) {
      shown.push_back(event);
    }
  }
  WEIR_ASSERT(shown == as_a_browser(input), "a browser would dispatch other events");

  const std::size_t limit = 1 + dice.below(64);
  const Stream bounded = read(input, {size}, limit);
  const Stream bounded_cut = read(input, weir::fuzz::cuts(size, dice), limit);
  WEIR_ASSERT(bounded.failed == bounded_cut.failed && bounded.events == bounded_cut.events,
              "a cut changes where the limit bites");
  WEIR_ASSERT(bounded.failed || bounded.bytes == input, "a limit that did not bite changes the bytes");
  return 0;
}
