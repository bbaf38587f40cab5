#include "admin/usage.hpp"

#include <array>

#include "admin/call_query.hpp"
#include "admin/identity_replies.hpp"
#include "api/accept.hpp"
#include "api/reply.hpp"
#include "http/headers.hpp"

namespace weir::admin {

namespace {

constexpr auto patience = std::chrono::seconds(20);  // sums over all that is kept

using Rows = std::vector<store::UsageRow>;

Result<Rows> usage_of_ring(const ledger::RequestRing& ring, const store::UsageQuery& query) {
  const auto memory = store::make_memory_store();
  for (const ledger::RecordPtr& record : ring.all()) {
    std::string kept;
    ledger::append_kept(kept, *record);
    if (auto put = memory->requests().put(std::vector<std::string_view>{kept}, store::Repeats::possible); !put) {
      return std::unexpected(std::move(put.error()));
    }
  }
  return memory->requests().usage(query);
}

/// JSON is what who does not say gets. Of two that are wanted as much the first is meant: `text/csv, */*`.
bool wants_csv(const http::Headers& headers) {
  const int csv = api::quality_of(headers, "text/csv");
  const int json = api::quality_of(headers, "application/json");
  return csv > json || (csv == json && csv > 0 && headers.value("accept").starts_with("text/csv"));
}

Task<void> usage(api::ApiRequest& request, const ledger::RequestRing& ring, store::Worker* worker) {
  const auto question = read_usage_query(request.http.head.target.query);
  if (!question) {
    co_await reply_refusal(request, question.error());
    co_return;
  }
  const bool csv = question->csv.value_or(wants_csv(request.http.head.headers));
  platform::Loop& loop = request.core.loop;
  Result<Rows> rows;
  if (worker == nullptr) {
    rows = usage_of_ring(ring, question->query);
  } else {
    rows = co_await store::ask<Rows>(
        *worker, loop, [query = question->query](store::Store& store) { return store.requests().usage(query); },
        {loop.now() + patience, &request.end.cancellation});
  }
  if (!rows) {
    co_await api::reply_error(request, rows.error());
    co_return;
  }
  const std::string body = csv ? usage_as_csv(question->query, *rows) : usage_as_json(question->query, *rows);
  co_await api::reply(request, 200, csv ? "text/csv; charset=utf-8" : "application/json", body);
}

}  // namespace

void add_usage_endpoint(api::Registry& registry, const ledger::RequestRing& ring, store::Worker* const& store) {
  static constexpr std::array<std::string_view, 7> filters = {"group_by", "key", "tenant", "model",
                                                              "from",     "to",  "format"};
  registry.add(
      {.method = "GET",
       .path = "/admin/v1/usage",
       .upstream_path = "",
       .auth = gateway::AuthClass::admin,
       .limits = gateway::LimitsClass::admin,
       .summary = "Requests, tokens and cost, `?group_by=day,tenant,key,model&key=&tenant=&model=&from=&to=`; as "
                  "JSON, or as CSV with "
                  "`&format=csv`.",
       .parameters = filters},
      [&ring, &store](api::ApiRequest& request) { return usage(request, ring, store); });
}

}  // namespace weir::admin
