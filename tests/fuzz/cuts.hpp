// Where a fuzz target cuts its input. The seeds stay plain text that a person can read and write, because the cuts come
// from a hash of the input rather than from bytes in it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::fuzz {

class Dice {
 public:
  explicit Dice(std::string_view input) {
    for (const char c : input) {
      state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;  // FNV-1a
    }
  }
  /// A number below `bound`, which is > 0.
  std::size_t below(std::size_t bound) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return static_cast<std::size_t>(state_ % bound);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

/// The ends of the pieces, ascending; the last is `size`. Sometimes two cuts that are close together, sometimes every
/// byte.
inline std::vector<std::size_t> cuts(std::size_t size, Dice& dice) {
  std::vector<std::size_t> ends;
  if (dice.below(8) == 0) {
    for (std::size_t end = 1; end < size; ++end) {
      ends.push_back(end);
    }
  } else {
    const std::size_t first = dice.below(size + 1);
    const std::size_t span = dice.below(2) == 0 ? std::min<std::size_t>(4, size - first) : size - first;
    ends = {first, first + dice.below(span + 1)};
  }
  ends.push_back(size);
  return ends;
}

}  // namespace weir::fuzz
