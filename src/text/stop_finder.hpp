#pragma once

#include <bit>
#include <cstdint>

#include "text/stop_blocks.hpp"

namespace weir::text::detail {

/// Where the runs of plain bytes in the strings of one text end (byte_search.hpp, is_string_stop).
///
/// Most strings of a JSON text are shorter than the 64 bytes that one look takes in, so what it told is kept for the
/// strings behind. To be asked from the front to the back. Nothing is read outside of [begin, end).
class StopFinder {
 public:
  StopFinder(const char* begin, const char* end) : begin_(begin), end_(end), block_end_(begin) {}

  /// The first stop at or behind `at`, or the end.
  const char* next(const char* at) {
    if (at < block_end_) {
      if (const std::uint64_t stops = stops_ >> (64 - (block_end_ - at)); stops != 0) {
        return at + std::countr_zero(stops);
      }
      at = block_end_;
    }
    const StopBlock block = find_stop_block(at, end_, non_ascii_);
    if (block.stops == 0) {
      return look_at_end(block.at);
    }
    keep(block);
    return block.at + std::countr_zero(block.stops);
  }

  /// A byte of 0x80 or above stands before the stops that were found, or up to 63 bytes behind them.
  [[nodiscard]] bool non_ascii() const { return non_ascii_; }

 private:
  void keep(const StopBlock& block) {
    block_end_ = block.at + 64;
    stops_ = block.stops;
  }
  const char* look_at_end(const char* at);

  const char* begin_;
  const char* end_;
  const char* block_end_;    // behind the 64 bytes that were looked at last; the begin before the first look
  std::uint64_t stops_ = 0;  // one bit for each of them, lowest first
  bool non_ascii_ = false;
};

}  // namespace weir::text::detail
