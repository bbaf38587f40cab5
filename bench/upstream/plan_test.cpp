#include "upstream/plan.hpp"

#include <gtest/gtest.h>

namespace weir::mock_upstream {
namespace {

using namespace std::chrono_literals;

Plan plan(std::string_view body, std::string_view target = "/v1/chat/completions") {
  return plan_for({.method = "POST", .target = target, .body = body}, {.events = 10, .interval = 5ms});
}

TEST(Plan, streams_only_when_the_body_asks_for_it) {
  EXPECT_TRUE(plan(R"({"model":"bench","stream":true})").stream);
  EXPECT_TRUE(plan(R"({"model":"bench","stream" : true})").stream);
  EXPECT_FALSE(plan(R"({"model":"bench","stream":false})").stream);
  EXPECT_FALSE(plan(R"({"model":"bench","stream_options":{"include_usage":true}})").stream);
  EXPECT_FALSE(plan("").stream);
}

TEST(Plan, sends_usage_only_when_asked) {
  EXPECT_TRUE(plan(R"({"stream":true,"stream_options":{"include_usage": true}})").usage_event);
  EXPECT_FALSE(plan(R"({"stream":true})").usage_event);
}

TEST(Plan, takes_events_and_interval_from_query_then_model_then_defaults) {
  auto by_default = plan(R"({"model":"bench","stream":true})");
  EXPECT_EQ(by_default.events, 10U);
  EXPECT_EQ(by_default.interval, 5ms);
  auto by_model = plan(R"({"model":"bench-50x20ms","stream":true})");
  EXPECT_EQ(by_model.events, 50U);
  EXPECT_EQ(by_model.interval, 20ms);
  auto by_query = plan(R"({"model":"bench-50x20ms","stream":true})", "/v1/chat/completions?events=7&interval_ms=0.5");
  EXPECT_EQ(by_query.events, 7U);
  EXPECT_EQ(by_query.interval, 500us);
}

TEST(Plan, keeps_room_for_the_role_and_the_finish_reason) {
  EXPECT_EQ(plan(R"({"model":"bench-0x0ms","stream":true})").events, 2U);
}

}  // namespace
}  // namespace weir::mock_upstream
