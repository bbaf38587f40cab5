#include "platform/command.hpp"

#include <gtest/gtest.h>

namespace weir::platform {
namespace {

using namespace std::chrono_literals;

TEST(Command, gives_what_it_printed_without_the_last_line_end) {
  EXPECT_EQ(run_command("printf 'sk-1\\n'", 60s), "sk-1");
  EXPECT_EQ(run_command("echo a; echo b", 60s), "a\nb");
  EXPECT_EQ(run_command("read line || echo end of input", 60s), "end of input");
}

TEST(Command, tells_why_it_failed_and_not_what_it_printed) {
  const auto failed = run_command("echo secret; exit 3", 60s);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::io_error);
  EXPECT_EQ(failed.error().message, "the command failed with status 3");
  EXPECT_FALSE(run_command("true", 60s)) << "nothing printed";
  EXPECT_FALSE(run_command("no-such-command-anywhere 2>/dev/null", 60s));
  EXPECT_FALSE(run_command("kill -9 $$", 60s));
  EXPECT_FALSE(run_command("yes", 60s)) << "too much";
}

TEST(Command, is_ended_when_its_time_is_over_with_all_that_it_started) {
  const auto slow = run_command("sleep 1000 & sleep 1000", 200ms);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Code::timeout);
}

TEST(Command, is_ended_when_we_stop) {
  std::stop_source stopping;
  stopping.request_stop();
  const auto stopped = run_command("sleep 1000", 60s, stopping.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::cancelled);
}

}  // namespace
}  // namespace weir::platform
