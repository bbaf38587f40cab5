#include "tokens/estimate.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::tokens {
namespace {

/// Eight words: most texts are ASCII for long stretches, and are passed over that much at a time.
using Block = std::array<std::uint64_t, 8>;

bool is_ascii(const char* at) {
  Block words;
  std::memcpy(words.data(), at, sizeof words);
  std::uint64_t any = 0;
  for (const std::uint64_t word : words) {
    any |= word;
  }
  return (any & 0x8080808080808080U) == 0;
}

}  // namespace

std::int64_t estimate(std::string_view text) {
  std::uint64_t continuing = 0;  // bytes behind the first of a longer sequence
  std::uint64_t others = 0;      // first bytes of longer sequences
  for (std::size_t at = 0; at < text.size();) {
    if (text.size() - at >= sizeof(Block) && is_ascii(text.data() + at)) {
      at += sizeof(Block);
      continue;
    }
    for (const std::size_t end = std::min(at + sizeof(Block), text.size()); at < end; ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      continuing += byte >= 0x80 && byte < 0xc0 ? 1U : 0U;
      others += byte >= 0xc0 ? 1U : 0U;
    }
  }
  // In twentieths of a token: 5 for an ASCII byte, 16 for another character.
  const std::uint64_t ascii = text.size() - continuing - others;
  return static_cast<std::int64_t>((ascii * 5 + others * 16 + 19) / 20);
}

}  // namespace weir::tokens
