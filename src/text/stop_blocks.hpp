#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

/// Long strings, 64 bytes at a time: which of the bytes end a run of plain bytes (byte_search.hpp, is_string_stop).
///
/// Chosen for the machine at the first call: AVX2 where it has it. Nothing is read outside of [at, end). Pure.
namespace weir::text::detail {

struct StopBlock {
  const char* at;       // 64 bytes that have a stop; or where less than 64 bytes are left
  std::uint64_t stops;  // one bit for each of them, lowest first; 0: less than 64 bytes are left
};

using FindStopBlock = StopBlock (*)(const char* at, const char* end, bool& non_ascii);
/// Those that this machine can run, the fastest first.
std::vector<FindStopBlock> stop_block_finders();
extern constinit std::atomic<FindStopBlock> stop_block_finder;

/// The first block of 64 bytes, counted from `at`, that has a stop. Sets `non_ascii` if a byte of 0x80 or above stands
/// in it or in a block before.
inline StopBlock find_stop_block(const char* at, const char* end, bool& non_ascii) {
  return stop_block_finder.load(std::memory_order_relaxed)(at, end, non_ascii);
}

}  // namespace weir::text::detail
