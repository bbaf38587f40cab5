#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::tokens {

/// What the pre-tokenizers tell apart (Unicode's general categories).
enum class Kind : std::uint8_t {
  other,
  upper,   // Lu, Lt
  lower,   // Ll
  letter,  // Lm, Lo: counts as upper and as lower
  mark,    // M
  number,  // Nd, Nl, No
  space,   // White_Space
};

/// Unicode 17; code points that are not assigned there are `other`.
[[nodiscard]] Kind kind_of(char32_t code_point);

[[nodiscard]] constexpr bool is_letter(Kind kind) {
  return kind == Kind::upper || kind == Kind::lower || kind == Kind::letter;
}
/// None of the classes that the rules name: punctuation, symbols, marks, controls.
[[nodiscard]] constexpr bool is_rest(Kind kind) {
  return kind == Kind::other || kind == Kind::mark;
}

struct Character {
  char32_t code_point = 0;
  std::uint8_t bytes = 0;  // 0: the end of the text
  Kind kind = Kind::other;
};
/// The character at `at`. A byte that begins no UTF-8 sequence is a character of its own, of no class.
[[nodiscard]] Character character_at(std::string_view text, std::size_t at);

}  // namespace weir::tokens
