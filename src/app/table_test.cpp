#include "app/table.hpp"

#include <gtest/gtest.h>

namespace weir::app {
namespace {

TEST(Table, has_columns_as_wide_as_their_widest_cell_and_numbers_to_the_right) {
  EXPECT_EQ(as_table({{"MODEL", "REQUESTS", "END"}, {"caf\xc3\xa9", "7", "complete"}, {"a-long-name", "1200", ""}}),
            "MODEL        REQUESTS  END\n"
            "caf\xc3\xa9                7  complete\n"
            "a-long-name      1200\n");
}

TEST(Table, lets_no_control_character_reach_the_terminal) {
  EXPECT_EQ(as_table({{"MODEL"}, {"x\x1b[2J\ny"}}), "MODEL\nx [2J y\n");
  EXPECT_EQ(as_table({{"MODEL", "N"}, {"x\u009b31m\u202ey", "1"}}), "MODEL    N\nx 31m y  1\n");
}

TEST(Table, of_nothing_is_nothing) {
  EXPECT_EQ(as_table({}), "");
}

}  // namespace
}  // namespace weir::app
