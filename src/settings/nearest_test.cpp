#include "settings/nearest.hpp"

#include <gtest/gtest.h>

namespace weir::settings {
namespace {

TEST(EditDistance, counts_letters_and_takes_a_swap_as_one) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("openai", "openai"), 0U);
  EXPECT_EQ(edit_distance("opnai", "openai"), 1U);
  EXPECT_EQ(edit_distance("opneai", "openai"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Nearest, suggests_what_was_probably_meant) {
  const std::vector<std::string> names = {"attempts", "backoff", "backoff_max", "status_codes"};
  EXPECT_EQ(nearest("attemps", names), "attempts");
  EXPECT_EQ(nearest("Backoff-Max", names), "backoff_max");
  EXPECT_EQ(nearest("backof", names), "backoff");
  EXPECT_EQ(did_you_mean("status_code", names), "; did you mean \"status_codes\"?");
}

TEST(Nearest, suggests_nothing_where_nothing_is_near) {
  EXPECT_EQ(nearest("zebra", {"attempts", "backoff"}), "");
  EXPECT_EQ(nearest("x", {"y"}), "");
  EXPECT_EQ(nearest("anything", {}), "");
  EXPECT_EQ(did_you_mean("zebra", {"attempts"}), "");
}

}  // namespace
}  // namespace weir::settings
