#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

/// Text and numbers written into memory that is known to be large enough, as it is done many times for every call. What
/// is written is mostly short: a few plain copies, and no call. Each gives the place behind.
namespace weir::text {

inline constexpr std::size_t integer_bytes_max = 20;

namespace detail {

template <std::size_t n>
void copy_fixed(char* to, const char* from) {
  std::memcpy(to, from, n);
}

}  // namespace detail

/// Two copies that overlap do for every length between.
inline char* write_text(char* to, std::string_view text) {
  const char* from = text.data();
  const std::size_t size = text.size();
  char* const end = to + size;
  if (size > 64) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    for (; end - to > 16; to += 16, from += 16) {
      detail::copy_fixed<16>(to, from);
    }
    detail::copy_fixed<16>(end - 16, text.data() + size - 16);
  } else if (size >= 8) {
    detail::copy_fixed<8>(to, from);
    detail::copy_fixed<8>(end - 8, from + size - 8);
  } else if (size >= 4) {
    detail::copy_fixed<4>(to, from);
    detail::copy_fixed<4>(end - 4, from + size - 4);
  } else {
    while (to != end) {
      *to++ = *from++;
    }
  }
  return end;
}

inline char* write_integer(char* at, std::integral auto value) {
  if (value < 0 || value >= 1000) {
    return std::to_chars(at, at + integer_bytes_max, value).ptr;
  }
  const auto small = static_cast<std::uint32_t>(value);  // as most are
  if (small >= 10) {
    if (small >= 100) {
      *at++ = static_cast<char>('0' + small / 100);
    }
    *at++ = static_cast<char>('0' + small / 10 % 10);
  }
  *at++ = static_cast<char>('0' + small % 10);
  return at;
}

}  // namespace weir::text
