#include "admin/call_query.hpp"

#include <gtest/gtest.h>

#include "admin/document_members.hpp"

namespace weir::admin {
namespace {

using namespace std::chrono_literals;

constexpr platform::WallTime day{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21)};

TEST(ParseTime, takes_days_and_moments) {
  struct Row {
    std::string_view text;
    std::optional<platform::WallTime> time;
  };
  for (const Row& row : {
           Row{"2026-11-21", day},
           Row{"2026-11-21T09:30:05Z", day + 9h + 30min + 5s},
           Row{"2026-11-21t09:30:05.25z", day + 9h + 30min + 5s + 250ms},
           Row{"2026-11-21 09:30:05.123456789Z", day + 9h + 30min + 5s + 123456us},
           Row{"2026-11-21T01:00:00+02:00", day - 1h},
           Row{"2026-11-20T23:00:00-01:30", day + 30min},
           Row{"", std::nullopt},
           Row{"yesterday", std::nullopt},
           Row{"2026-02-30", std::nullopt},
           Row{"2026-11-21T", std::nullopt},
           Row{"2026-11-21T24:00:00Z", std::nullopt},
           Row{"2026-11-21T09:30:05", std::nullopt},
           Row{"2026-11-21T09:30:05.Z", std::nullopt},
           Row{"2026-11-21T09:30:05+02", std::nullopt},
           Row{"2026-11-21x", std::nullopt},
           Row{"-026-11-21", std::nullopt},
       }) {
    EXPECT_EQ(parse_time(row.text), row.time) << row.text;
  }
}

TEST(RequestQuery, reads_what_was_asked_for) {
  const auto query = read_request_query(
      "key=key_1&tenant=acme&model=a%2Fb+c&status=4xx&from=2026-11-21&limit=7&after=req_01m82sxkyyjaq05bqysmfj0dmm");
  ASSERT_TRUE(query.has_value()) << query.error().message;
  EXPECT_EQ(query->key_id, "key_1");
  EXPECT_EQ(query->tenant, "acme");
  EXPECT_EQ(query->model, "a/b c");
  EXPECT_EQ(query->status_from, 400);
  EXPECT_EQ(query->status_to, 499);
  EXPECT_EQ(query->from, store::first_id_at(day));
  EXPECT_EQ(query->limit, 7);
  EXPECT_EQ(query->after, "req_01m82sxkyyjaq05bqysmfj0dmm");
  EXPECT_EQ(read_request_query("status=429")->status_from, 429);
  EXPECT_EQ(read_request_query("status=unknown")->end_state, "unknown");
  EXPECT_EQ(read_request_query("")->limit, 100);
}

TEST(RequestQuery, refuses_what_it_does_not_understand_and_says_what_it_would) {
  for (const auto& [query, words] : {std::pair{"limit=0", "1 to 1000"},
                                     {"limit=1001", "1 to 1000"},
                                     {"limit=x", "1 to 1000"},
                                     {"after=5", "`next`"},
                                     {"after=req_zzz", "`next`"},
                                     {"status=good", "gateway_error"},
                                     {"status=9xx", "gateway_error"},
                                     {"from=soon", "2026-11-21"},
                                     {"model=%zz", "escaped"}}) {
    const auto refused = read_request_query(query);
    ASSERT_FALSE(refused.has_value()) << query;
    EXPECT_EQ(refused.error().code, Code::invalid_request);
    EXPECT_TRUE(refused.error().message.contains(words)) << refused.error().message;
    EXPECT_EQ(path_in(refused.error().message), std::string_view(query).substr(0, std::string_view(query).find('=')));
  }
}

TEST(UsageQuery, reads_groups_and_format) {
  const auto question =
      read_usage_query("group_by=key,day,tenant&to=2026-11-21&format=csv&key=key_1&tenant=acme&model=a%2Fb");
  ASSERT_TRUE(question.has_value());
  EXPECT_TRUE(question->query.by_key && question->query.by_day && !question->query.by_model);
  EXPECT_EQ(question->csv, true);
  EXPECT_EQ(read_usage_query("format=json")->csv, false);
  EXPECT_EQ(read_usage_query("")->csv, std::nullopt);
  EXPECT_TRUE(question->query.by_tenant);
  EXPECT_EQ(question->query.key_id, "key_1");
  EXPECT_EQ(question->query.tenant, "acme");
  EXPECT_EQ(question->query.model, "a/b");
  EXPECT_EQ(question->query.to, store::first_id_at(day));
  EXPECT_FALSE(read_usage_query("group_by=week").has_value());
  EXPECT_FALSE(read_usage_query("format=xml").has_value());
}

TEST(Usage, is_written_as_json_and_as_csv) {
  const store::UsageQuery query{.by_model = true, .from = {}, .to = {}};
  const std::vector<store::UsageRow> rows = {{.model = "=1+1,\"x\"",
                                              .requests = 3,
                                              .errors = 1,
                                              .attempts = 4,
                                              .input_tokens = 10,
                                              .cost_picodollars = 250'000'000'000},
                                             {.model = "b", .requests = 1, .unpriced = 1}};
  EXPECT_EQ(usage_as_json(query, rows),
            R"({"object":"list","data":[{"model":"=1+1,\"x\"","requests":3,"errors":1,"attempts":4,"cached":0,)"
            R"("input_tokens":10,"cached_input_tokens":0,"output_tokens":0,"reasoning_tokens":0,"cost_usd":0.25,)"
            R"("unpriced_requests":0},{"model":"b","requests":1,"errors":0,"attempts":0,"cached":0,"input_tokens":0,)"
            R"("cached_input_tokens":0,"output_tokens":0,"reasoning_tokens":0,"cost_usd":null,)"
            R"("unpriced_requests":1}]})");
  EXPECT_EQ(usage_as_csv(query, rows),
            "model,requests,errors,attempts,cached,input_tokens,cached_input_tokens,output_tokens,reasoning_tokens,"
            "cost_usd,unpriced_requests\r\n"
            "\"'=1+1,\"\"x\"\"\",3,1,4,0,10,0,0,0,0.25,0\r\n"
            "\"b\",1,0,0,0,0,0,0,0,,1\r\n");
}

}  // namespace
}  // namespace weir::admin
