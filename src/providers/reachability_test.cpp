#include "providers/reachability.hpp"

#include <gtest/gtest.h>

namespace weir::providers {
namespace {

using namespace std::chrono_literals;
using platform::Instant;

TEST(Reachability, tells_news_once_and_counts_all) {
  Reachability found;
  EXPECT_FALSE(found.of("a"));
  EXPECT_FALSE(found.note("a", std::nullopt, Instant(1s), 5ms)) << "good from the start is no news";
  EXPECT_TRUE(found.note("b", Code::refused, Instant(1s), 1ms));
  EXPECT_FALSE(found.note("b", Code::timeout, Instant(2s), 1s)) << "still bad";
  EXPECT_TRUE(found.note("b", std::nullopt, Instant(3s), 2ms));
  EXPECT_TRUE(found.note("a", Code::unreachable, Instant(3s), 2ms));
  const auto b = found.of("b");
  ASSERT_TRUE(b);
  EXPECT_FALSE(b->failure);
  EXPECT_EQ(b->succeeded, 1U);
  EXPECT_EQ(b->failed, 2U);
  EXPECT_EQ(b->at, Instant(3s));
  EXPECT_EQ(found.of("a")->failure, Code::unreachable);
  EXPECT_EQ(found.all().size(), 2U);
  found.keep([](std::string_view name) { return name == "b"; });
  EXPECT_FALSE(found.of("a"));
  EXPECT_TRUE(found.of("b"));
}

}  // namespace
}  // namespace weir::providers
