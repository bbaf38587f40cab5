// The character classes of HTTP/1.1 and the two scans that every byte of a head or a stream passes.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::http {

namespace characters {

enum Class : std::uint8_t {
  token = 1,  // tchar: methods, field names. RFC 9110 section 5.6.2
  digit = 2,
  hex = 4,
  path = 8,    // may stand unescaped in a path that we accept (see make_classes)
  query = 16,  // may stand unescaped in a query that we accept
  host = 32,   // unreserved: what a DNS name or an IPv4 address consists of. RFC 3986 section 2.3
};

consteval std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&](std::string_view members, std::uint8_t bits) {
    for (const char member : members) {
      classes[static_cast<unsigned char>(member)] |= bits;
    }
  };
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  add(letters, token | path | query | host);
  add("0123456789", token | digit | hex | path | query | host);
  add("abcdefABCDEF", hex);
  add("!#$%&'*+-.^_`|~", token);
  add("-._~", host);
  // RFC 3986 pchar and "/"; also "[", "]" and "|", which the WHATWG URL parser (hence every fetch()) leaves unescaped.
  add("-._~!$&'()*+,;=:@/%[]|", path);
  // The WHATWG query percent-encode set escapes only controls, space, '"', '#', '<' and '>': the rest arrives raw.
  add("-._~!$&'()*+,;=:@/?%[]|\\^`{}", query);
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> classes = make_classes();

}  // namespace characters

constexpr bool is_in(char c, characters::Class wanted) {
  return (characters::classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

constexpr bool all_in(std::string_view text, characters::Class wanted) {
  for (const char c : text) {
    if (!is_in(c, wanted)) {
      return false;
    }
  }
  return true;
}

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// The value of a hex digit, or -1.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// What no field value may contain: every control character except the tab. Bytes from 0x80 are allowed (obs-text).
constexpr bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

#if defined(__SSE2__)

/// Of 16 bytes, one bit for each that is a control character.
inline unsigned controls_of(__m128i block) {
  const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
  const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('\t')), low),
                                   _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f)));
  return static_cast<unsigned>(_mm_movemask_epi8(bad));
}

/// Of 16 bytes, one bit for each that is a letter, a digit or "-", which make up nearly every field name.
inline unsigned name_characters_of(__m128i block) {
  const auto in_range = [](__m128i bytes, char first, char width) {
    const __m128i offset = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(width)), offset);
  };
  const __m128i letters = in_range(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 25);
  const __m128i digits = in_range(block, '0', 9);
  const __m128i dashes = _mm_cmpeq_epi8(block, _mm_set1_epi8('-'));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(letters, _mm_or_si128(digits, dashes))));
}

#endif

/// The first control character in [begin, end), or end. In a well-formed field line that is its CR.
inline const char* find_control(const char* begin, const char* end) {
#if defined(__SSE2__)
  for (; end - begin >= 16; begin += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    if (const unsigned mask = controls_of(block); mask != 0) {
      return begin + std::countr_zero(mask);
    }
  }
#endif
  while (begin != end && !is_control(*begin)) {
    ++begin;
  }
  return begin;
}

/// The first CR or LF in [begin, end), or end.
inline const char* find_line_end(const char* begin, const char* end) {
#if defined(__SSE2__)
  const __m128i carriage_return = _mm_set1_epi8('\r');
  const __m128i line_feed = _mm_set1_epi8('\n');
  for (; end - begin >= 16; begin += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    const __m128i found = _mm_or_si128(_mm_cmpeq_epi8(block, carriage_return), _mm_cmpeq_epi8(block, line_feed));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found)); mask != 0) {
      return begin + std::countr_zero(mask);
    }
  }
#endif
  while (begin != end && *begin != '\r' && *begin != '\n') {
    ++begin;
  }
  return begin;
}

/// The first character in [begin, end) that may not stand in a token, or end. In a well-formed field line that is its
/// colon.
inline const char* skip_token(const char* begin, const char* end) {
#if defined(__SSE2__)
  for (; end - begin >= 16; begin += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    if (const unsigned mask = name_characters_of(block); mask != 0xffff) {
      begin += std::countr_one(mask);  // the other token characters are left to the loop below
      break;
    }
  }
#endif
  while (begin != end && is_in(*begin, characters::token)) {
    ++begin;
  }
  return begin;
}

/// Without the spaces and tabs at both ends (OWS).
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace weir::http
