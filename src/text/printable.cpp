#include "text/printable.hpp"

#include <algorithm>

#include "text/utf8.hpp"

namespace weir::text {

namespace {

/// `character`: one, whole, as UTF-8.
bool steers(std::string_view character) {
  if (character.size() == 1) {
    return (character[0] >= 0 && character[0] < ' ') || character[0] == '\x7f';
  }
  const auto between = [character](std::string_view first, std::string_view last) {
    return character.size() == first.size() && character >= first && character <= last;
  };
  return between("\u0080", "\u009f") ||  // C1: U+009B begins a sequence as ESC [ does
         character == "\u061c" ||        // the Arabic letter mark
         between("\u200e", "\u200f") ||  // marks of a direction
         between("\u2028", "\u202e") ||  // line and paragraph separator; embeddings and overrides of a direction
         between("\u2066", "\u2069");    // isolates
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    if (length == 0 || steers(character)) {
      shown += ' ';
    } else {
      shown += character;
    }
    text.remove_prefix(character.size());
  }
  return shown;
}

}  // namespace weir::text
