#include "tokens/estimate.hpp"

namespace weir::tokens {

std::int64_t estimate(std::string_view text) {
  std::uint64_t ascii = 0;
  std::uint64_t others = 0;  // first bytes of longer sequences
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ascii += byte < 0x80 ? 1U : 0U;
    others += byte >= 0xc0 ? 1U : 0U;
  }
  // In twentieths of a token: 5 for an ASCII byte, 16 for another character.
  return static_cast<std::int64_t>((ascii * 5 + others * 16 + 19) / 20);
}

}  // namespace weir::tokens
