#include "ledger/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace weir::ledger {

namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // reflected

constexpr std::array<std::uint32_t, 256> table = [] {
  std::array<std::uint32_t, 256> made{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
    }
    made[byte] = value;
  }
  return made;
}();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t before) {
  std::uint64_t value = ~before;
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    value = __builtin_ia32_crc32di(value, word);
    bytes.remove_prefix(sizeof word);
  }
  auto last = static_cast<std::uint32_t>(value);
  for (const char byte : bytes) {
    last = __builtin_ia32_crc32qi(last, static_cast<unsigned char>(byte));
  }
  return ~last;
}
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before) {
  std::uint32_t value = ~before;
  for (const char byte : bytes) {
    value = (value >> 8) ^ table[(value ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~value;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) {
    return by_instruction(bytes, before);
  }
#endif
  return crc32c_by_table(bytes, before);
}

}  // namespace weir::ledger
