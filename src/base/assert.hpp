#pragma once

namespace weir {

/// Prints `reason` with its place and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* reason, const char* file, int line);

}  // namespace weir

/// Our own mistake, in release builds too: stops where going on could charge, leak or corrupt.
#define WEIR_ASSERT(condition, reason)                                  \
  do {                                                                  \
    if (!(condition)) [[unlikely]] {                                    \
      ::weir::assertion_failed(#condition, reason, __FILE__, __LINE__); \
    }                                                                   \
  } while (false)
