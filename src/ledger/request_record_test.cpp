#include "ledger/request_record.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace weir::ledger {
namespace {

using namespace std::chrono_literals;

RequestRecord example() {
  RequestRecord record;
  record.id = "req_1";
  record.time = platform::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + 9h + 5min + 3s + 7ms);
  record.endpoint = "/v1/chat/completions";
  record.model = "smart \"quoted\"\n";
  record.status = 200;
  record.end_state = EndState::complete;
  record.duration = 1'234'567us;
  record.added = 999ns;
  record.usage.input_tokens = 3;
  record.usage_source = UsageSource::provider;
  AttemptRecord& attempt = record.attempts.emplace_back();
  attempt.target = "a/x";
  attempt.status = 503;
  attempt.failure = Code::upstream_error;
  attempt.upstream_words = "caf\xc3\xa9 \xff";
  attempt.started = 42us;
  return record;
}

TEST(RequestRecord, becomes_one_line_of_json_with_exact_times) {
  const std::string text = to_json(example());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const boost::json::object json = boost::json::parse(text).as_object();
  EXPECT_EQ(json.at("time").as_string(), "2026-11-21T09:05:03.007Z");
  EXPECT_EQ(json.at("model").as_string(), "smart \"quoted\"\n");
  EXPECT_EQ(json.at("duration_ms").as_double(), 1234.567);
  EXPECT_NE(text.find("\"duration_ms\":1234.567"), std::string::npos);
  EXPECT_NE(text.find("\"weir_added_ms\":0.000"), std::string::npos);
  EXPECT_EQ(json.at("tokens_in").as_int64(), 3);
  EXPECT_FALSE(json.contains("tokens_out"));
  const boost::json::object attempt = json.at("attempts").as_array().at(0).as_object();
  EXPECT_EQ(attempt.at("failure").as_string(), "upstream_error");
  EXPECT_EQ(attempt.at("started_ms").as_double(), 0.042);
  EXPECT_EQ(attempt.at("upstream_words").as_string(), "caf\xc3\xa9 \xef\xbf\xbd");
  EXPECT_FALSE(attempt.contains("ended_ms"));
}

AttemptRecord attempt_with(int status, bool connected, llm::Usage usage) {
  AttemptRecord attempt;
  attempt.status = status;
  attempt.connected = connected ? std::optional<platform::Duration>(1ms) : std::nullopt;
  attempt.usage = usage;
  return attempt;
}

TEST(RequestRecord, tells_what_each_attempt_cost_or_that_nobody_knows) {
  const auto price = std::make_shared<const ModelPrice>(
      ModelPrice{.name = "x \"y\"", .base = {.input = Money::parse("0.000001"), .output = Money::parse("0.000002")}});
  const llm::Usage usage{.input_tokens = 10, .output_tokens = 5};
  struct Case {
    AttemptRecord attempt;
    std::shared_ptr<const ModelPrice> price;
    const char* cost;
  };
  for (const Case& one :
       {Case{attempt_with(200, true, usage), price, "0.00002"}, Case{attempt_with(200, true, usage), nullptr, "null"},
        Case{attempt_with(200, true, {}), price, "null"},    // left before its usage came
        Case{attempt_with(0, true, {}), price, "null"},      // may have worked on it
        Case{attempt_with(0, false, {}), nullptr, "0"},      // never reached
        Case{attempt_with(503, true, {}), nullptr, "0"}}) {  // refused
    RequestRecord record;
    settle_cost(record.attempts.emplace_back(one.attempt), one.price);
    record.cost = cost_of(record);
    const std::string text = to_json(record);
    EXPECT_NE(text.find(std::string("\"cost_usd\":") + one.cost + ",\"attempts\""), std::string::npos) << text;
    EXPECT_TRUE(boost::json::parse(text).is_object());
  }
}

TEST(RequestRecord, costs_what_all_attempts_cost) {
  RequestRecord record;
  EXPECT_EQ(cost_of(record), Money{});
  record.attempts.resize(2);
  record.attempts[0].cost = Money::parse("0.25");
  EXPECT_EQ(cost_of(record), std::nullopt);
  record.attempts[1].cost = Money::parse("0.5");
  EXPECT_EQ(cost_of(record), Money::parse("0.75"));
}

TEST(RequestRecord, tells_a_clock_that_went_backwards) {
  RequestRecord record = example();
  record.added = -1500us;
  EXPECT_NE(to_json(record).find("\"weir_added_ms\":-1.500"), std::string::npos);
}

}  // namespace
}  // namespace weir::ledger
