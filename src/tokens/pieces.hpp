#pragma once

#include <cstddef>
#include <string_view>

#include "tokens/encoding.hpp"

namespace weir::tokens {

/// Cuts text into the pieces that are turned into tokens each for itself, as the published pre-tokenizer expressions
/// do.
///
/// A scanner of our own instead of a library of expressions: RE2 has no look-ahead, which `\s+(?!\S)` needs, and a
/// backtracking engine has a limit that a long word reaches. Linear in the text; no allocation, no state.
/// Source: tiktoken 1.0.22, `pat_str` of cl100k_base (the original form) and o200k_base.
///
/// Returns the length in bytes of the piece that begins at `at`, which is less than the text's size; never 0.
[[nodiscard]] std::size_t piece_length(Encoding encoding, std::string_view text, std::size_t at);

}  // namespace weir::tokens
