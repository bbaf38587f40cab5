#pragma once

#include <cstddef>
#include <string_view>

namespace weir::text {

/// True if `bytes` is UTF-8 as RFC 3629 defines it: no surrogates, no overlong forms, nothing above U+10FFFF.
/// Picks the widest vector instructions of the machine at run time (simdjson).
[[nodiscard]] bool is_utf8(std::string_view bytes);

/// The length in bytes of the UTF-8 sequence that `bytes` begins with: 1 to 4, or 0 if it begins with none.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view bytes);

/// Where the first byte stands that is not part of a UTF-8 sequence; `std::string_view::npos` if there is none.
/// Byte by byte, thus slow: to say where after `is_utf8` said no.
[[nodiscard]] std::size_t first_not_utf8(std::string_view bytes);

}  // namespace weir::text
