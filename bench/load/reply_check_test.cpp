#include "load/reply_check.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::load {
namespace {

using namespace std::chrono_literals;
using Verdict = ReplyCheck::Verdict;

std::string sized(std::string_view body, std::string_view status = "200 OK") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

struct Checked {
  Options options;
  Report report;
  ReplyCheck check{options, report};

  Verdict take(std::string_view bytes, std::chrono::nanoseconds at = 0ns) { return check.take(bytes, TimePoint(at)); }
};

TEST(ReplyCheck, accepts_a_whole_json_object_only) {
  Checked whole;
  EXPECT_EQ(whole.take(sized("{\"a\":1}\n")), Verdict::complete);
  for (auto body : {"", "{\"a\":1", "<html></html>", "[1]"}) {
    Checked broken;
    EXPECT_EQ(broken.take(sized(body)), Verdict::failed) << body;
    EXPECT_EQ(broken.check.fault(), Fault::body);
  }
}

TEST(ReplyCheck, counts_any_status_but_200_as_a_fault_of_its_own) {
  Checked checked;
  EXPECT_EQ(checked.take(sized("{\"error\":{}}", "502 Bad Gateway")), Verdict::failed);
  EXPECT_EQ(checked.check.fault(), Fault::status);
}

TEST(ReplyCheck, takes_the_expected_status_for_the_right_one_and_200_for_a_fault_then) {
  Checked refused;
  refused.options.status_expected = 401;
  EXPECT_EQ(refused.take(sized("{\"error\":{}}", "401 Unauthorized")), Verdict::complete);
  Checked cut;
  cut.options.status_expected = 401;
  EXPECT_EQ(cut.take(sized("{\"error\"", "401 Unauthorized")), Verdict::failed);
  EXPECT_EQ(cut.check.fault(), Fault::body);
  Checked served;
  served.options.status_expected = 401;
  EXPECT_EQ(served.take(sized("{}")), Verdict::failed);
  EXPECT_EQ(served.check.fault(), Fault::status);
}

TEST(ReplyCheck, wants_done_at_the_end_of_a_stream_and_nothing_behind_it) {
  struct Case {
    std::string_view body;
    Verdict verdict;
    Fault fault;
  };
  for (auto [body, verdict, fault] : {
           Case{"data: {}\n\ndata: [DONE]\n\n", Verdict::complete, Fault::body},
           Case{"data: {}\n\n", Verdict::failed, Fault::body},
           Case{"data: {}\n\ndata: [DONE]", Verdict::failed, Fault::body},
           Case{"data: {}\n\ndata: [DONE]\n\ndata: {}\n\n", Verdict::failed, Fault::body},
           Case{"data: {}\n\ndata: {\"error\":{}}\n\n", Verdict::failed, Fault::error_event},
       }) {
    Checked checked;
    checked.options.stream = true;
    EXPECT_EQ(checked.take(sized(body)), verdict) << body;
    if (verdict == Verdict::failed) {
      EXPECT_EQ(checked.check.fault(), fault) << body;
    }
  }
}

TEST(ReplyCheck, wants_the_number_of_events_that_was_expected) {
  for (std::uint64_t expected : {1U, 2U, 3U}) {
    Checked checked;
    checked.options.stream = true;
    checked.options.events_expected = expected;
    auto verdict = checked.take(sized(": a comment does not count\n\ndata: {}\n\ndata: {}\n\ndata: [DONE]\n\n"));
    EXPECT_EQ(verdict, expected == 2 ? Verdict::complete : Verdict::failed) << expected;
  }
}

TEST(ReplyCheck, refuses_bytes_after_the_reply) {
  Checked checked;
  EXPECT_EQ(checked.take(sized("{}") + "x"), Verdict::failed);
  EXPECT_EQ(checked.check.fault(), Fault::framing);
}

TEST(ReplyCheck, measures_events_from_when_they_were_due_sent_and_last_seen) {
  Checked checked;
  checked.options.stream = true;
  checked.check.begin(TimePoint(1ms));
  checked.take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 2ms);
  checked.take("26\r\ndata: {\"sent_ns=000000000002500000\"}\n\n\r\n", 3ms);
  checked.take("a\r\ndata: {}\n\n\r\na\r\ndata: {}\n\n\r\n", 23ms);
  EXPECT_EQ(checked.take("e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", 23ms), Verdict::complete);
  EXPECT_EQ(checked.report.first_event.max(), 2ms);
  EXPECT_EQ(checked.report.transit.max(), 500us);
  EXPECT_EQ(checked.report.gap.max(), 20ms);
  EXPECT_EQ(checked.report.gap.count(), 3U);
  EXPECT_EQ(checked.report.events, 4U);
  EXPECT_EQ(checked.report.shared_reads, 1U);
}

TEST(ReplyCheck, forgets_the_last_reply) {
  Checked checked;
  checked.options.stream = true;
  EXPECT_EQ(checked.take(sized("data: {}\n\ndata: [DONE]\n\n")), Verdict::complete);
  checked.check.begin(TimePoint(0ns));
  EXPECT_EQ(checked.take(sized("data: {}\n\n")), Verdict::failed);
}

}  // namespace
}  // namespace weir::load
