#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

/// "req_" and 26 characters of Crockford's base 32: 48 bits of milliseconds since 1970, then 80 random bits, so that
/// ids sort by time.
std::string make_request_id(std::uint64_t milliseconds, std::uint64_t random_high, std::uint64_t random_low);

/// True for `prefix` ("req_") and what make_request_id() writes behind it, whether or not there is anything of that id.
[[nodiscard]] bool is_id(std::string_view text, std::string_view prefix);

}  // namespace weir
