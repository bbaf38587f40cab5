#include "observe/trace_context.hpp"

#include <gtest/gtest.h>

namespace weir::observe {
namespace {

constexpr std::string_view valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, continues_a_valid_trace_under_a_parent_of_its_own) {
  const auto trace = parse_traceparent(valid);
  ASSERT_TRUE(trace);
  EXPECT_EQ(traceparent(*trace, 0xabc), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000abc-01");
}

TEST(TraceContext, refuses_what_the_standard_refuses) {
  for (const std::string_view bad : {
           "", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",    // upper case
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",    // version ff
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",    // no trace
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",    // no parent
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",  // version 00 ends here
       }) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

TEST(TraceContext, reads_a_later_version_as_far_as_it_is_known) {
  const auto trace = parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-07-more");
  ASSERT_TRUE(trace);
  EXPECT_EQ(traceparent(*trace, 1), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-03");
}

}  // namespace
}  // namespace weir::observe
