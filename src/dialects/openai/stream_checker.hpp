#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_scan.hpp"

namespace weir::openai {

/// Judges a chat completion stream as its caller received it, strictly by OpenAI's grammar. For tests and simulation:
/// it collects every violation instead of stopping at the first, and allocates as it likes.
///
/// Feed the data of each event in order, then call end(). What it holds a stream to: every event is a chunk, an error
/// or `[DONE]`; id, model and created never change; a choice's role comes first and once; nothing but usage comes after
/// its finish reason; a tool call has its index, and its id and name once, at first; exactly one terminal, `[DONE]` or
/// one error, with nothing behind it; `[DONE]` only if every choice is finished; usage as the caller asked for it.
///
/// Not thread-safe. Source: OpenAI's OpenAPI 2.3.0, and what the official SDKs of 2026-08 stumble over.
class StreamChecker {
 public:
  /// Whether the caller set `include_usage`. With `asked` each chunk has a usage member, and the usage comes once, in a
  /// chunk without choices, as the last before `[DONE]`.
  enum class Usage : std::uint8_t { not_asked, asked };

  explicit StreamChecker(Usage usage) : usage_(usage) {}

  void feed(std::string_view data);
  /// The body has ended.
  void end();

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] bool done_seen() const { return terminal_ == Terminal::done; }
  [[nodiscard]] bool error_seen() const { return terminal_ == Terminal::error; }
  /// The text that a client would have assembled for that choice.
  [[nodiscard]] std::string content(std::int64_t choice) const;

 private:
  enum class Terminal : std::uint8_t { none, done, error };
  struct ToolCall {
    bool has_id = false;
    bool has_name = false;
  };
  struct Choice {
    bool finished = false;
    std::string content;
    std::map<std::int64_t, ToolCall> tool_calls;
  };

  void violate(std::string text);
  void check_done();
  void check_error(const text::JsonValue& error);
  void check_chunk(std::string_view data);
  void check_constant(std::string_view data, std::string_view name, text::JsonKind kind,
                      std::optional<std::string>& first);
  void check_usage(std::string_view data, bool has_choices);
  void check_choice(const text::JsonValue& choice);
  void check_delta(std::int64_t index, Choice& choice, std::string_view delta);
  void check_tool_call(std::int64_t index, Choice& choice, const text::JsonValue& call);

  Usage usage_;
  std::size_t events_ = 0;
  Terminal terminal_ = Terminal::none;
  bool usage_seen_ = false;
  std::optional<std::string> id_;
  std::optional<std::string> model_;
  std::optional<std::string> created_;
  std::map<std::int64_t, Choice> choices_;
  std::vector<std::string> violations_;
};

}  // namespace weir::openai
