#include "ledger/request_record.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "store/call_form.hpp"
#include "text/json_value.hpp"

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

std::string kept(const RequestRecord& record, Asked asked = Asked::told) {
  std::string out;
  append_kept(out, record, asked);
  return out;
}

RequestRecord with_everything() {
  RequestRecord record = example();
  record.tenant = "acme";
  record.user = "ann";
  record.key_id = "key_1";
  record.key = "laptop";
  record.client = "127.0.0.1";
  record.client_request_id = "mine \"1\"";
  record.trace_id = "0af7651916cd43dd8448eb211c80319c";
  record.route = "smart";
  record.target = "a/x";
  record.stream = true;
  record.error_code = "upstream_error";
  record.error_message = "a\tb";
  record.first_token = 1'500us;
  record.keep_alives = 3;
  record.request_bytes = 1024;
  record.response_bytes = 700;
  record.usage = {.input_tokens = 0, .output_tokens = 2, .cached_input_tokens = 3, .reasoning_tokens = 4};
  record.cost = Money::parse("0.00472");
  record.recovered_from = "b/y";
  record.refused_by = "the budget of this key";
  record.skipped = {"c/z: no key", "d \"e\""};
  AttemptRecord& attempt = record.attempts.emplace_back();
  attempt.target = "b/y";
  attempt.end_state = EndState::client_abort;
  attempt.status = 200;
  attempt.reason = "left";
  attempt.started = 0us;
  attempt.connected = 1us;
  attempt.first_byte = 2us;
  attempt.first_token = 3us;
  attempt.ended = 4us;
  attempt.backoff = 5us;
  attempt.reused_connection = true;
  attempt.silent_retry = true;
  attempt.upstream_request_id = "up_1";
  attempt.usage = record.usage;
  attempt.cost = Money{};
  attempt.price = std::make_shared<const ModelPrice>(ModelPrice{.name = "x", .base = {}});
  attempt.events = 7;
  attempt.response_bytes = 8;
  attempt.mended = {0, 2};
  attempt.cause = llm::Cause{};
  attempt.key = "label";
  attempt.recovery = "prefill";
  attempt.repeated_bytes = 9;
  attempt.trial = true;
  attempt.usage_source = UsageSource::estimated;
  attempt.tier = Tier::flex;
  attempt.reserved = std::make_shared<Reserved>(Reserved{.money = Money::parse("0.5"),
                                                         .tokens = 100,
                                                         .output_tokens = 90,
                                                         .charged = Money::parse("0.25"),
                                                         .charged_tokens = Reserved::Tokens{.all = 19, .output = 8}});
  return record;
}

TEST(RequestRecord, is_kept_in_fewer_bytes_and_is_the_same_object_again) {
  RequestRecord bare;
  bare.id = "req_2";
  bare.end_state = EndState::gateway_error;
  RequestRecord refused = bare;
  refused.skipped = {"a"};
  RequestRecord tried = bare;
  tried.attempts.resize(2);
  for (const RequestRecord& record : {example(), with_everything(), bare, refused, tried}) {
    EXPECT_EQ(store::as_object(kept(record)), to_json(record)) << kept(record);
    EXPECT_LT(kept(record).size() * 2, to_json(record).size());
  }
  EXPECT_TRUE(to_json(with_everything()).contains(R"("trial":true)"));
}

TEST(RequestRecord, has_every_place_of_the_kept_form) {
  const std::string text = kept(with_everything());
  std::size_t places = 0;
  std::string_view attempts;
  text::for_each_element(text, [&](const text::JsonValue& value) {
    attempts = places == store::attempts_place ? value.raw : attempts;
    ++places;
  });
  EXPECT_EQ(places, store::first_member_place + store::call_members.size())
      << "a member was added: it belongs in store/call_form.hpp and in with_everything() too";
  places = 0;
  text::for_each_element(attempts, [&](const text::JsonValue& attempt) {
    places = 0;
    text::for_each_element(attempt.raw, [&](const text::JsonValue&) { ++places; });
  });
  EXPECT_EQ(places, store::attempt_members.size());
}

TEST(RequestRecord, says_where_in_what_is_kept_stands_what_was_asked) {
  RequestRecord bare;
  bare.id = "req_2";
  bare.end_state = EndState::gateway_error;
  RequestRecord open = with_everything();
  open.end_state = EndState::open;
  for (const RequestRecord& record : {example(), with_everything(), bare, open}) {
    std::string whole = "x";
    const AskedPart part = append_kept(whole, record);
    const std::string asked = whole.substr(part.at, part.bytes);
    EXPECT_EQ(asked, store::asked_of(std::string_view(whole).substr(1)));
    EXPECT_TRUE(asked.starts_with(",") && asked.ends_with("\"" + record.route + "\"")) << asked;
    std::string rest = "x";
    const AskedPart place = append_kept(rest, record, Asked::left_out);
    EXPECT_EQ(rest.insert(place.at, asked), whole);
  }
  for (const std::string_view no_record : {"", "[]", "[\"req_1\",[]]", "no record"}) {
    EXPECT_EQ(store::asked_of(no_record), "");
  }
}

TEST(RequestRecord, that_is_open_is_kept_as_far_as_it_is_known) {
  RequestRecord record = with_everything();
  record.end_state = EndState::open;
  record.attempts.back().end_state = EndState::open;
  const auto row = store::row_of(kept(record));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->model, record.model);
  EXPECT_EQ(row->key_id, "key_1");
  EXPECT_EQ(row->end_state, "open");
  EXPECT_EQ(row->attempts.at(1).end_state, "open");
  EXPECT_EQ(row->attempts.at(1).upstream_model, "y");
}

TEST(RequestRecord, tells_a_clock_that_went_backwards) {
  RequestRecord record = example();
  record.added = -1500us;
  EXPECT_NE(to_json(record).find("\"weir_added_ms\":-1.500"), std::string::npos);
}

}  // namespace
}  // namespace weir::ledger
