#include "text/stop_finder.hpp"

#include "text/byte_search.hpp"

namespace weir::text::detail {

/// Less than 64 bytes are left from `at`: the last 64 of the text are looked at, some of them once more.
const char* StopFinder::look_at_end(const char* at) {
  if (end_ - begin_ < 64) {
    return find_string_stop(at, end_, non_ascii_);
  }
  const char* const last = end_ - 64;
  keep({.at = last, .stops = find_stop_block(last, end_, non_ascii_).stops});
  const std::uint64_t stops = at == end_ ? 0 : stops_ >> (at - last);
  return stops == 0 ? end_ : at + std::countr_zero(stops);
}

}  // namespace weir::text::detail
