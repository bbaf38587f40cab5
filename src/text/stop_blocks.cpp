#include "text/stop_blocks.hpp"

#include "text/byte_search.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace weir::text::detail {
namespace {

#if defined(__SSE2__)

StopBlock find_with_sse2(const char* at, const char* end, bool& non_ascii) {
  for (; end - at >= 64; at += 64) {
    const __m128i a = load16(at);
    const __m128i b = load16(at + 16);
    const __m128i c = load16(at + 32);
    const __m128i d = load16(at + 48);
    non_ascii = non_ascii || mask_of(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))) != 0;
    const std::uint64_t stops =
        std::uint64_t{mask_of(string_stops(a))} | (std::uint64_t{mask_of(string_stops(b))} << 16) |
        (std::uint64_t{mask_of(string_stops(c))} << 32) | (std::uint64_t{mask_of(string_stops(d))} << 48);
    if (stops != 0) {
      return {at, stops};
    }
  }
  return {at, 0};
}

[[gnu::target("avx2")]] inline __m256i string_stops_avx2(__m256i bytes) {
  const __m256i quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
  const __m256i backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
  const __m256i controls = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
  return _mm256_or_si256(_mm256_or_si256(quotes, backslashes), controls);
}

[[gnu::target("avx2")]] StopBlock find_with_avx2(const char* at, const char* end, bool& non_ascii) {
  for (; end - at >= 64; at += 64) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
    non_ascii = non_ascii || _mm256_movemask_epi8(_mm256_or_si256(a, b)) != 0;
    const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(string_stops_avx2(a)));
    const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(string_stops_avx2(b)));
    const std::uint64_t stops = low | (std::uint64_t{high} << 32);
    if (stops != 0) {
      return {at, stops};
    }
  }
  return {at, 0};
}

#else

StopBlock find_by_byte(const char* at, const char* end, bool& non_ascii) {
  for (; end - at >= 64; at += 64) {
    std::uint64_t stops = 0;
    for (unsigned i = 0; i < 64; ++i) {
      const auto byte = static_cast<unsigned char>(at[i]);
      stops |= std::uint64_t{is_string_stop(byte)} << i;
      non_ascii = non_ascii || byte >= 0x80;
    }
    if (stops != 0) {
      return {at, stops};
    }
  }
  return {at, 0};
}

#endif

StopBlock choose_and_find(const char* at, const char* end, bool& non_ascii) {
  const FindStopBlock best = stop_block_finders().front();
  stop_block_finder.store(best, std::memory_order_relaxed);
  return best(at, end, non_ascii);
}

}  // namespace

std::vector<FindStopBlock> stop_block_finders() {
#if defined(__SSE2__)
  if (__builtin_cpu_supports("avx2") != 0) {
    return {find_with_avx2, find_with_sse2};
  }
  return {find_with_sse2};
#else
  return {find_by_byte};
#endif
}

constinit std::atomic<FindStopBlock> stop_block_finder{choose_and_find};

}  // namespace weir::text::detail
