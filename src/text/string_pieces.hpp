#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::text {

/// Reads one text that is sent as several JSON strings, as a stream's deltas are: cut between any two characters, and
/// by some servers between the two escapes of one character beyond U+FFFF. One per text; a plain value.
class StringPieces {
 public:
  struct Step {
    std::size_t raw = 0;    // how many of the given bytes were read, at least 1
    std::string_view text;  // what they say, as UTF-8; empty: half of a character, whose rest begins the next piece
    bool broken = false;    // half of a character, and no rest of it: UTF-8 cannot express that
  };
  /// Reads a part of `raw`, which is not empty: what stands between the quotes of a valid string, or the rest of it.
  /// The text lives until the next call, and as long as `raw`.
  Step step(std::string_view raw);
  /// Appends what the piece says to `out`. False: it cannot be expressed, and what was appended is a part of it.
  [[nodiscard]] bool append(std::string_view raw, std::string& out);
  /// No half of a character waits for its rest.
  [[nodiscard]] bool whole() const { return half_.empty(); }

 private:
  std::string half_;  // an escape, as sent
  std::string unescaped_;
};

}  // namespace weir::text
