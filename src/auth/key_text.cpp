#include "auth/key_text.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <string>

#include "base/assert.hpp"

namespace weir::auth {

namespace {

constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t random_digits = 43;   // 62^43 > 2^256
constexpr std::size_t checksum_digits = 6;  // 62^6 > 2^32
static_assert(key_prefix.size() + random_digits + checksum_digits == key_text_bytes);

/// CRC-32 (IEEE 802.3), bit by bit: it is asked for where a key is made or refused, never for one that is known.
std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
    }
  }
  return ~crc;
}

void append_checksum(std::string& text) {
  std::uint32_t rest = crc32(text);
  std::array<char, checksum_digits> written;
  for (char& digit : written) {
    digit = digits[rest % digits.size()];
    rest /= static_cast<std::uint32_t>(digits.size());
  }
  text.append(written.rbegin(), written.rend());
}

}  // namespace

Secret key_text_of(const std::array<std::uint8_t, 32>& random) {
  std::array<std::uint8_t, 32> rest = random;
  std::array<char, random_digits> written;
  for (char& digit : written) {
    std::uint32_t remainder = 0;
    for (std::uint8_t& byte : rest) {
      const std::uint32_t value = (remainder << 8) | byte;
      byte = static_cast<std::uint8_t>(value / digits.size());
      remainder = value % static_cast<std::uint32_t>(digits.size());
    }
    digit = digits[remainder];
  }
  std::string text(key_prefix);
  text.append(written.rbegin(), written.rend());
  append_checksum(text);
  return Secret(std::move(text));
}

Secret make_key_text() {
  std::array<std::uint8_t, 32> random{};
  const int made = RAND_priv_bytes(random.data(), static_cast<int>(random.size()));
  WEIR_ASSERT(made == 1, "a key that can be guessed must not be given out");
  return key_text_of(random);
}

bool is_mistyped(std::string_view text) {
  if (!text.starts_with(key_prefix)) {
    return false;
  }
  if (text.size() != key_text_bytes) {
    return true;
  }
  std::string expected(text.substr(0, text.size() - checksum_digits));
  append_checksum(expected);
  return expected != text || text.find_first_not_of(digits, key_prefix.size()) != std::string_view::npos;
}

bool is_reserved_label(std::string_view label) {
  return label == "weir-probe" || label.starts_with("config:");
}

}  // namespace weir::auth
