#pragma once

#include <cstdint>

namespace weir::ledger {

/// Some bytes in a file of the journal of a core.
struct JournalPlace {
  std::uint32_t segment = 0;  // the file's number
  std::uint32_t at = 0;       // in the file
  std::uint32_t bytes = 0;    // 0: nowhere
};

}  // namespace weir::ledger
