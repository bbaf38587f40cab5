#include "text/stop_blocks.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "text/byte_search.hpp"
#include "text/json_scan.hpp"

namespace weir::text::detail {
namespace {

TEST(StopBlocks, each_finder_agrees_with_a_look_at_each_byte) {
  std::mt19937 random(1);
  const std::string_view bytes("ab \"\\\x01\x1f\x20\x7f\x80\xff{}", 13);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 300, 'x');
    for (std::size_t i = random() % 4; i > 0 && !text.empty(); --i) {
      text[random() % text.size()] = bytes[random() % bytes.size()];
    }
    const char* const end = text.data() + text.size();
    for (const FindStopBlock find : stop_block_finders()) {
      bool non_ascii = false;
      const StopBlock found = find(text.data(), end, non_ascii);
      const auto before = static_cast<std::size_t>(found.at - text.data());
      ASSERT_EQ(before % 64, 0U);
      ASSERT_EQ(found.stops == 0, end - found.at < 64) << text;
      bool expected_non_ascii = false;
      for (std::size_t i = 0; i < std::min(before + 64, text.size() / 64 * 64); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool stops = i >= before && (found.stops >> (i - before) & 1) != 0;
        ASSERT_EQ(stops, is_string_stop(byte)) << i << " in " << text;
        expected_non_ascii = expected_non_ascii || byte >= 0x80;
      }
      ASSERT_EQ(non_ascii, expected_non_ascii);
    }
  }
}

TEST(StopBlocks, a_long_string_is_read_wherever_its_escapes_and_its_end_lie) {
  for (const std::string_view escape : {"\\n", "\\\"", "\\\\", "\\u00e4"}) {
    for (std::size_t before = 0; before < 140; ++before) {
      for (std::size_t behind = 0; behind < 140; behind += 3) {
        const std::string text =
            "[\"\\t" + std::string(before, 'a') + std::string(escape) + std::string(behind, 'b') + "\",1]";
        ASSERT_TRUE(scan_document(text)) << text;
        ASSERT_FALSE(scan_document(text.substr(0, text.size() - 4))) << text;
        std::string wrong = text;
        wrong[4 + before] = '\n';
        const auto refused = scan_document(wrong);
        ASSERT_FALSE(refused) << wrong;
        ASSERT_EQ(refused.error().offset, 4 + before) << refused.error().what;
        wrong = text;
        wrong[5 + before] = 'q';
        ASSERT_FALSE(scan_document(wrong)) << wrong;
      }
    }
  }
}

}  // namespace
}  // namespace weir::text::detail
