#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/secret.hpp"

namespace weir::auth {

/// The text of a key that weir makes: `wr-`, 43 letters and digits that hold 256 random bits, and 6 that are a checksum
/// of them, so that a slip of the hand is told from an unknown key. 52 characters: one block of SHA-256.
inline constexpr std::string_view key_prefix = "wr-";
inline constexpr std::size_t key_text_bytes = 52;

[[nodiscard]] Secret key_text_of(const std::array<std::uint8_t, 32>& random);
/// A new key, from OpenSSL's generator for private values. Shown once, and kept as a hash alone.
[[nodiscard]] Secret make_key_text();

/// True where `text` claims to be a key of weir's making and cannot be one: a wrong length, character or checksum.
[[nodiscard]] bool is_mistyped(std::string_view text);

/// True where a label would pass for one of weir's own: that of its probes, and the ids of keys of the configuration.
[[nodiscard]] bool is_reserved_label(std::string_view label);

}  // namespace weir::auth
