#include "settings/units.hpp"

#include <gtest/gtest.h>

namespace weir::settings {
namespace {

using namespace std::chrono_literals;

TEST(Durations, are_read_with_their_units_and_plain_numbers_as_seconds) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("24h"), 24h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("30"), 30s);
  EXPECT_EQ(parse_duration("0.5"), 500ms);
  EXPECT_EQ(parse_duration("0"), 0ms);
}

TEST(Durations, refuse_everything_else) {
  for (const char* text :
       {"", "s", "-1s", "1 s", "1S", "1sec", "1e9", "soon", "1..5s", "+3s", "99999999h", "nan", "inf"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Durations, are_written_so_that_they_read_back) {
  for (const auto duration : {0ms, 250ms, 1000ms, 90'000ms, 300'000ms, 3'600'000ms, 3'601'000ms}) {
    EXPECT_EQ(parse_duration(to_text(duration)), duration);
  }
  EXPECT_EQ(to_text(5min), "5m");
  EXPECT_EQ(to_text(90s), "90s");
}

TEST(Sizes, know_binary_and_decimal_units) {
  EXPECT_EQ(parse_bytes("64KiB"), 65'536U);
  EXPECT_EQ(parse_bytes("32MiB"), 33'554'432U);
  EXPECT_EQ(parse_bytes("0.5GiB"), 536'870'912U);
  EXPECT_EQ(parse_bytes("10KB"), 10'000U);
  EXPECT_EQ(parse_bytes("512"), 512U);
  EXPECT_EQ(parse_bytes("512B"), 512U);
  for (const char* text : {"", "KiB", "-1", "1.5B", "1 KiB", "1KiBs", "99999999GiB"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(Booleans, take_the_spellings_of_yaml) {
  for (const char* text : {"true", "True", "yes", "on", "ON", "1"}) {
    EXPECT_EQ(parse_boolean(text), true) << text;
  }
  for (const char* text : {"false", "no", "Off", "0"}) {
    EXPECT_EQ(parse_boolean(text), false) << text;
  }
  for (const char* text : {"", "y", "2", "truee"}) {
    EXPECT_EQ(parse_boolean(text), std::nullopt) << text;
  }
}

TEST(Integers, may_be_grouped_but_are_whole) {
  EXPECT_EQ(parse_integer("10_000"), 10'000);
  EXPECT_EQ(parse_integer("-3"), -3);
  for (const char* text : {"", "_1", "1_", "1.0", "0x10", "1e3", " 1", "99999999999999999999"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace weir::settings
