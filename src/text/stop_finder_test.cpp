#include "text/stop_finder.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/byte_search.hpp"

namespace weir::text::detail {
namespace {

TEST(StopFinder, finds_the_stops_that_a_look_at_each_byte_finds) {
  std::mt19937 random(1);
  const std::string_view bytes("\"\\\x01\x1f\x20\xff{}", 8);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 300, 'x');
    for (std::size_t i = random() % 12; i > 0 && !text.empty(); --i) {
      text[random() % text.size()] = bytes[random() % bytes.size()];
    }
    const std::vector<char> exact(text.begin(), text.end());  // so that a sanitizer sees a read beyond it
    const char* const end = exact.data() + exact.size();
    StopFinder stops(exact.data(), end);
    bool non_ascii = false;
    for (const char* at = exact.data();; ++at) {
      const char* const expected = find_string_stop_by_byte(at, end, non_ascii);
      ASSERT_EQ(stops.next(at) - exact.data(), expected - exact.data()) << text;
      at = expected + std::min<std::ptrdiff_t>(end - expected, static_cast<std::ptrdiff_t>(random() % 20));
      if (at == end) {
        break;
      }
    }
    EXPECT_TRUE(stops.non_ascii() || !non_ascii) << text;
  }
}

TEST(StopFinder, of_an_ascii_text_says_so) {
  const std::string text(200, 'x');
  StopFinder stops(text.data(), text.data() + text.size());
  EXPECT_EQ(stops.next(text.data()), text.data() + text.size());
  EXPECT_FALSE(stops.non_ascii());
}

}  // namespace
}  // namespace weir::text::detail
