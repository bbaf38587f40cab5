#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::settings {

// How values are written in a config. Each function gives nothing where the text is no such value; none of them
// accepts surrounding blanks.

/// `250ms`, `30s`, `5m`, `24h`, `7d`, fractions such as `1.5s`; a plain number is seconds. Not negative; at most 10
/// years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest spelling that parse_duration reads back: `90s`, `5m`, `250ms`.
std::string to_text(std::chrono::milliseconds duration);

/// `64KiB`, `32MiB`, `1GiB`, `10KB` (1000), `512B`; a plain number is bytes.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// `true`, `false`, YAML's other spellings `yes no on off` in any case, and the `1` and `0` of environment variables.
std::optional<bool> parse_boolean(std::string_view text);

/// Decimal digits with an optional minus; underscores may group them (`10_000`).
std::optional<std::int64_t> parse_integer(std::string_view text);

/// A finite decimal number.
std::optional<double> parse_number(std::string_view text);

}  // namespace weir::settings
