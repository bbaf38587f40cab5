#include "text/write_text.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace weir::text {
namespace {

/// What `write` writes, which must leave the bytes behind it alone.
template <class Write>
std::string written(Write write) {
  std::string room(200, '~');
  const auto size = static_cast<std::size_t>(write(room.data()) - room.data());
  EXPECT_EQ(room.find_first_not_of('~', size), std::string::npos);
  return room.substr(0, size);
}

TEST(WriteText, texts_of_every_length_are_copied_and_nothing_behind_them_is_touched) {
  std::string text;
  for (int length = 0; length < 150; ++length) {
    EXPECT_EQ(written([&](char* at) { return write_text(at, text); }), text);
    text += static_cast<char>('a' + length % 26);
  }
}

TEST(WriteText, integers_are_written_as_they_are_read) {
  for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{1000},
                                   std::int64_t{12'345}, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(written([&](char* at) { return write_integer(at, value); }), std::to_string(value));
  }
  for (unsigned value = 0; value < 1100; ++value) {
    EXPECT_EQ(written([&](char* at) { return write_integer(at, value); }), std::to_string(value));
  }
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(written([&](char* at) { return write_integer(at, most); }), std::to_string(most));
}

}  // namespace
}  // namespace weir::text
