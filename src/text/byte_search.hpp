#pragma once

#include <bit>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// The inner loops of the JSON scanner: how far a string, a run of plain text or a container reaches.
///
/// Each exists twice: 16 bytes at a time with SSE2, which every x86-64 machine has, and byte by byte for the last bytes
/// and for other machines. Nothing is read outside of [at, end). Pure functions, no allocation.
namespace weir::text::detail {

/// A byte that ends a run of plain bytes in a JSON string: quote, backslash, control character.
inline bool is_string_stop(unsigned char byte) {
  return byte == '"' || byte == '\\' || byte < 0x20;
}

inline const char* find_string_stop_by_byte(const char* at, const char* end, bool& non_ascii) {
  unsigned char seen = 0;
  for (; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (is_string_stop(byte)) {
      break;
    }
    seen |= byte;
  }
  non_ascii = non_ascii || seen >= 0x80;
  return at;
}

/// A quote or a bracket: what matters when a container whose grammar is known to be right is skipped.
inline bool is_structure(unsigned char byte) {
  return byte == '"' || byte == '{' || byte == '}' || byte == '[' || byte == ']';
}

inline const char* find_structure_by_byte(const char* at, const char* end) {
  while (at != end && !is_structure(static_cast<unsigned char>(*at))) {
    ++at;
  }
  return at;
}

#if defined(__SSE2__)

inline __m128i load16(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

inline __m128i string_stops(__m128i bytes) {
  const __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  // An unsigned byte equals its minimum with 0x1f just if it is at most 0x1f.
  const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  return _mm_or_si128(_mm_or_si128(quotes, backslashes), controls);
}

inline unsigned mask_of(__m128i flags) {
  return static_cast<unsigned>(_mm_movemask_epi8(flags));
}

/// The first stop at or behind `at`, or `end`. Sets `non_ascii` if a byte of 0x80 or above stands before it, and may
/// set it for one up to 63 bytes behind it: the caller then checks UTF-8 in vain, which is right, only slower.
inline const char* find_string_stop(const char* at, const char* end, bool& non_ascii) {
  const bool long_enough = end - at >= 16;
  unsigned high_bits = 0;
  while (end - at >= 64) {
    const __m128i a = load16(at);
    const __m128i b = load16(at + 16);
    const __m128i c = load16(at + 32);
    const __m128i d = load16(at + 48);
    const __m128i stops_a = string_stops(a);
    high_bits |= mask_of(a);
    if (const unsigned mask = mask_of(stops_a); mask != 0) {
      non_ascii = non_ascii || high_bits != 0;
      return at + std::countr_zero(mask);
    }
    const __m128i stops_b = string_stops(b);
    const __m128i stops_c = string_stops(c);
    const __m128i stops_d = string_stops(d);
    high_bits |= mask_of(_mm_or_si128(_mm_or_si128(b, c), d));
    if (mask_of(_mm_or_si128(_mm_or_si128(stops_b, stops_c), stops_d)) != 0) {
      non_ascii = non_ascii || high_bits != 0;
      const std::uint64_t mask = (std::uint64_t{mask_of(stops_b)} << 16) | (std::uint64_t{mask_of(stops_c)} << 32) |
                                 (std::uint64_t{mask_of(stops_d)} << 48);
      return at + std::countr_zero(mask);
    }
    at += 64;
  }
  while (end - at >= 16) {
    const __m128i bytes = load16(at);
    high_bits |= mask_of(bytes);
    if (const unsigned mask = mask_of(string_stops(bytes)); mask != 0) {
      non_ascii = non_ascii || high_bits != 0;
      return at + std::countr_zero(mask);
    }
    at += 16;
  }
  if (long_enough && at != end) {
    // The last 16 bytes once more: those before `at` are known to be plain.
    const __m128i bytes = load16(end - 16);
    high_bits |= mask_of(bytes);
    non_ascii = non_ascii || high_bits != 0;
    const unsigned mask = mask_of(string_stops(bytes)) >> (16 - (end - at));
    return mask != 0 ? at + std::countr_zero(mask) : end;
  }
  non_ascii = non_ascii || high_bits != 0;
  return find_string_stop_by_byte(at, end, non_ascii);
}

/// The first quote or bracket at or behind `at`, or `end`.
inline const char* find_structure(const char* at, const char* end) {
  while (end - at >= 16) {
    const __m128i bytes = load16(at);
    // With bit 5 set, '[' becomes '{' and ']' becomes '}'; a quote has it already. Outside of its strings a valid
    // document has no control character that could become a quote.
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i found = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), _mm_cmpeq_epi8(folded, _mm_set1_epi8('}'))),
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    if (const unsigned mask = mask_of(found); mask != 0) {
      return at + std::countr_zero(mask);
    }
    at += 16;
  }
  return find_structure_by_byte(at, end);
}

#else

inline const char* find_string_stop(const char* at, const char* end, bool& non_ascii) {
  return find_string_stop_by_byte(at, end, non_ascii);
}

inline const char* find_structure(const char* at, const char* end) {
  return find_structure_by_byte(at, end);
}

#endif

}  // namespace weir::text::detail
