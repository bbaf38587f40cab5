#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "platform/clock.hpp"

namespace weir::observe {

/// "2026-11-21T09:40:16.123Z": RFC 3339, UTC, milliseconds.
std::string rfc3339(platform::WallTime time);
/// The same, written to `at`: 24 characters. Gives the end.
char* write_rfc3339(char* at, platform::WallTime time);
/// What that writes, with any number of decimals and any offset, and a date alone: its first moment, UTC.
std::optional<platform::WallTime> parse_rfc3339(std::string_view text);

/// "12.345": a duration in milliseconds, cut to microseconds. Writes at most 24 characters to `at`; gives the end.
char* write_milliseconds(char* at, platform::Duration duration);
std::string milliseconds(platform::Duration duration);

}  // namespace weir::observe
