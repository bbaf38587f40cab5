#include "load/event_reader.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace weir::load {
namespace {

using namespace std::chrono_literals;

TEST(EventReader, finds_the_same_events_wherever_the_bytes_are_cut) {
  constexpr std::string_view bytes = "data: {\"a\":1}\n\n: ping\n\ndata: x\ndata: y\n\ndata: [DONE]\n\n";
  const std::vector<std::string> expected = {"data: {\"a\":1}", ": ping", "data: x\ndata: y", "data: [DONE]"};
  for (std::size_t part = 1; part <= bytes.size(); ++part) {
    EventReader reader;
    std::vector<std::string> events;
    for (std::size_t at = 0; at < bytes.size(); at += part) {
      auto input = bytes.substr(at, part);
      while (auto event = reader.next(input)) {
        events.emplace_back(*event);
      }
    }
    EXPECT_EQ(events, expected) << part;
    EXPECT_FALSE(reader.in_event()) << part;
  }
}

TEST(EventReader, says_that_an_event_was_cut) {
  EventReader reader;
  std::string_view input = "data: half";
  EXPECT_FALSE(reader.next(input).has_value());
  EXPECT_TRUE(reader.in_event());
}

TEST(EventKind, tells_data_from_the_end_and_from_errors) {
  EXPECT_EQ(kind_of("data: {\"id\":\"x\"}"), EventKind::data);
  EXPECT_EQ(kind_of("data: [DONE]"), EventKind::done);
  EXPECT_EQ(kind_of("data: {\"error\":{\"message\":\"m\"}}"), EventKind::error);
  EXPECT_EQ(kind_of(": keep-alive"), EventKind::comment);
}

TEST(SentAt, reads_the_time_that_the_upstream_wrote) {
  EXPECT_EQ(sent_at("data: {\"content\":\"sent_ns=000000000001234567 and\"}"), 1234567ns);
  EXPECT_FALSE(sent_at("data: {\"content\":\"no time\"}").has_value());
  EXPECT_FALSE(sent_at("data: sent_ns=12").has_value());
  EXPECT_FALSE(sent_at("data: sent_ns=0000000000x1234567").has_value());
}

}  // namespace
}  // namespace weir::load
