#pragma once

#include <cstddef>

namespace weir {

/// Asks the processor for memory that will be written soon, `bytes` of it from `begin` on. For memory that is written
/// through once from end to end: each part of it is cold when its turn comes, and whoever then needs all his writes
/// done, to release a lock or to count with an atomic, waits for it. It need not be there.
inline void prefetch_for_write(const char* begin, std::size_t bytes) {
  constexpr std::size_t line_bytes = 64;
  for (std::size_t at = 0; at < bytes; at += line_bytes) {
    __builtin_prefetch(begin + at, 1);
  }
}

}  // namespace weir
