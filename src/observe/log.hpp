#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::observe {

/// error: a person should act; warn: degraded, still serving; info: what happened; debug: off in production.
enum class Level : std::uint8_t { debug, info, warn, error, off };
std::string_view to_string(Level level);

/// A line that writes itself: the record of a call. Shared and const from then on.
class LogLine {
 public:
  virtual ~LogLine() = default;
  /// One JSON object, without a line end.
  virtual void append_to(std::string& out) const = 0;
};

/// Where lines go: JSON, one object a line, fixed keys, never a prompt, an answer or a key. Callable on request
/// threads: never blocks.
class Log {
 public:
  virtual ~Log() = default;
  virtual void message(Level level, std::string_view component, std::string text) = 0;
  /// The line of a call that has ended.
  virtual void request(std::shared_ptr<const LogLine> line) = 0;
  /// Lines that were lost because the queue was full.
  [[nodiscard]] virtual std::uint64_t dropped() const = 0;
};

}  // namespace weir::observe
