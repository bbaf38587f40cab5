#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Base64 with the standard alphabet (RFC 4648 section 4). Pure; thread-safe.
namespace weir::text {

/// Appends `bytes` in base64, with padding.
void append_base64(std::string& out, std::string_view bytes);

/// The bytes that `text` stands for. Padding may be missing; anything else that is not base64 (blanks, another
/// alphabet, bits left over that are not zero) gives nothing.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace weir::text
