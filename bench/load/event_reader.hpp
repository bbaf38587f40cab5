#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::load {

/// What one event of a chat completion stream is, as far as a load generator cares.
enum class EventKind : std::uint8_t { data, done, error, comment };

EventKind kind_of(std::string_view event);

/// When the mock upstream wrote this event, on the machine's monotonic clock: it writes `sent_ns=` and 18 digits into
/// each.
std::optional<std::chrono::nanoseconds> sent_at(std::string_view event);

/// Cuts a `text/event-stream` body at its blank lines ("\n\n" only: the mock upstream writes no other form).
///
/// No I/O; parts may be cut anywhere. Not thread-safe. Simpler than the server's parser on purpose: it counts, it does
/// not judge.
class EventReader {
 public:
  /// The next whole event without its blank line, taken from the front of `input`; nothing when `input` is used up.
  /// The view lives until the next call.
  std::optional<std::string_view> next(std::string_view& input);

  /// Whether bytes of an unfinished event are waiting.
  bool in_event() const { return !partial_.empty(); }
  void reset();

 private:
  std::string partial_;
  bool partial_returned_ = false;
};

}  // namespace weir::load
