#include "ledger/money.hpp"

#include <gtest/gtest.h>

namespace weir::ledger {
namespace {

TEST(Money, is_read_and_written_exactly) {
  struct Case {
    const char* text;
    std::int64_t picodollars;
    const char* written;
  };
  for (const Case& one : {Case{"0", 0, "0"}, Case{"1", 1'000'000'000'000, "1"}, Case{"0.60", 600'000'000'000, "0.6"},
                          Case{"2.5e-06", 2'500'000, "0.0000025"}, Case{".5", 500'000'000'000, "0.5"},
                          Case{"1E3", 1'000'000'000'000'000, "1000"}, Case{"0.000000000001", 1, "0.000000000001"},
                          Case{"9223372.036854775807", 9'223'372'036'854'775'807, "9223372.036854775807"},
                          Case{"1.0000000000000000", 1'000'000'000'000, "1"}, Case{"0e99", 0, "0"}}) {
    const auto money = Money::parse(one.text);
    ASSERT_TRUE(money) << one.text;
    EXPECT_EQ(money->in_picodollars(), one.picodollars) << one.text;
    EXPECT_EQ(money->to_text(), one.written);
  }
  for (const char* text : {"", ".", "-1", "1.2.3", "1e", "1e1000", "one", "0.0000000000001", "9223372.036854775808",
                           "99999999999999999999", " 1", "1 "}) {
    EXPECT_FALSE(Money::parse(text)) << text;
  }
  EXPECT_EQ((Money{} - *Money::parse("0.25")).to_text(), "-0.25");
}

TEST(Money, stays_at_the_most_and_never_wraps) {
  EXPECT_EQ(Money::most() + Money::picodollars(1), Money::most());
  EXPECT_EQ(Money::most() * 2, Money::most());
  EXPECT_EQ(Money::picodollars(3) * 5, Money::picodollars(15));
  EXPECT_LT(Money{} - Money::most(), Money{});
}

}  // namespace
}  // namespace weir::ledger
