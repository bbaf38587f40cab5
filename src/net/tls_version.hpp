#pragma once

#include <cstdint>

namespace weir::net {

/// The oldest version of TLS that is spoken. Older ones than 1.2 are broken (RFC 8996).
enum class TlsVersion : std::uint8_t { tls_1_2, tls_1_3 };

}  // namespace weir::net
