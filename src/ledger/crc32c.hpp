#pragma once

#include <cstdint>
#include <string_view>

namespace weir::ledger {

/// CRC-32C (Castagnoli), as iSCSI (RFC 3720 section B.4) and most journals use it. With the processor's instruction
/// where it has one. `before`: of the bytes that came before these.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);
/// The same without the instruction.
[[nodiscard]] std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace weir::ledger
