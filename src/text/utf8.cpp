#include "text/utf8.hpp"

#include <simdjson.h>

namespace weir::text {
namespace {

bool is_continuation(unsigned char byte) {
  return (byte & 0xc0) == 0x80;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  return simdjson::validate_utf8(bytes.data(), bytes.size());
}

std::size_t utf8_sequence_length(std::string_view bytes) {
  if (bytes.empty()) {
    return 0;
  }
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xc2 && lead <= 0xdf) {
    return bytes.size() >= 2 && is_continuation(at(1)) ? 2 : 0;
  }
  if (lead >= 0xe0 && lead <= 0xef) {
    // E0 80..9F would be overlong, ED A0..BF would be surrogates.
    const unsigned char second_min = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned char second_max = lead == 0xed ? 0x9f : 0xbf;
    return bytes.size() >= 3 && at(1) >= second_min && at(1) <= second_max && is_continuation(at(2)) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    // F0 80..8F would be overlong, F4 90..BF would lie above U+10FFFF.
    const unsigned char second_min = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char second_max = lead == 0xf4 ? 0x8f : 0xbf;
    const bool whole = bytes.size() >= 4 && at(1) >= second_min && at(1) <= second_max && is_continuation(at(2)) &&
                       is_continuation(at(3));
    return whole ? 4 : 0;
  }
  return 0;
}

std::size_t first_not_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = utf8_sequence_length(bytes.substr(i));
    if (length == 0) {
      return i;
    }
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace weir::text
