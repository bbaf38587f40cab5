#pragma once

#include <cstdint>
#include <string>

namespace weir {

/// "req_" and 26 characters of Crockford's base 32: 48 bits of milliseconds since 1970, then 80 random bits, so that
/// ids sort by time.
std::string make_request_id(std::uint64_t milliseconds, std::uint64_t random_high, std::uint64_t random_low);

}  // namespace weir
