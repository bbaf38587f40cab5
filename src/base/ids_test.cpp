#include "base/ids.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace weir {
namespace {

TEST(Ids, are_known_by_their_form) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  EXPECT_TRUE(is_id(make_request_id(0, 0, 0), "req_"));
  EXPECT_TRUE(is_id(make_request_id(most >> 16U, most, most), "req_"));
  EXPECT_TRUE(is_id("key_01m82sxkyyjaq05bqysmfj0dmm", "key_"));
  for (const std::string_view text :
       {"", "req_", "req_zzz", "01m82sxkyyjaq05bqysmfj0dmm", "key_01m82sxkyyjaq05bqysmfj0dmm",
        "req_01m82sxkyyjaq05bqysmfj0dm", "req_01m82sxkyyjaq05bqysmfj0dmmm", "req_01M82SXKYYJAQ05BQYSMFJ0DMM",
        "req_01m82sxkyyjaq05bqysmfj0dmu", "req_81m82sxkyyjaq05bqysmfj0dmm", "req_zzzzzzzzzzzzzzzzzzzzzzzzzz"}) {
    EXPECT_FALSE(is_id(text, "req_")) << text;
  }
}

}  // namespace
}  // namespace weir
