#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace weir::mock_upstream {

/// The bytes that the mock upstream sends, made once; only the time of sending changes from event to event.
///
/// Shapes: OpenAI chat completions, streamed and not. Not thread-safe.
class Replies {
 public:
  Replies();

  /// A whole reply with a body of about 0.7 KB.
  std::string_view completion() const { return completion_; }

  /// The head of a stream, to be sent together with the role event.
  std::string_view stream_head() const { return stream_head_; }

  /// One event each, as one chunk of about 240 bytes. The view lives until the next call.
  std::string_view role_event(std::chrono::nanoseconds now) { return stamped(role_, now); }
  std::string_view content_event(std::chrono::nanoseconds now) { return stamped(content_, now); }
  std::string_view finish_event(std::chrono::nanoseconds now) { return stamped(finish_, now); }
  std::string_view usage_event(std::chrono::nanoseconds now) { return stamped(usage_, now); }

  /// [DONE] and the end of the chunked body.
  std::string_view done() const { return done_; }

  /// A small reply with this JSON body.
  static std::string json_reply(std::string_view body);

 private:
  struct Event {
    std::string chunk;
    std::size_t stamp;  // where the digits of sent_ns stand
  };
  static Event event(std::string_view choices_and_usage);
  static std::string_view stamped(Event& event, std::chrono::nanoseconds now);

  std::string completion_, stream_head_, done_;
  Event role_, content_, finish_, usage_;
};

}  // namespace weir::mock_upstream
