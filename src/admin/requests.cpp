#include "admin/requests.hpp"

#include <fmt/format.h>

#include <charconv>

#include "admin/story.hpp"
#include "api/reply.hpp"
#include "http/target.hpp"
#include "platform/signal.hpp"
#include "text/json_value.hpp"

namespace weir::admin {

namespace {

// A caller may ask for a call's record the moment its last byte arrives, which is an instant before the call is
// settled.
constexpr auto settling_time = std::chrono::milliseconds(50);
constexpr int list_default = 100;
constexpr int list_max = 1000;

Task<void> one_request(api::ApiRequest& request, const ledger::RequestRing& ring) {
  ledger::RecordPtr record = ring.find(request.rest);
  if (record == nullptr) {
    co_await platform::sleep(request.core.loop, {request.core.loop.now() + settling_time, &request.end.cancellation});
    record = ring.find(request.rest);
  }
  if (record == nullptr) {
    co_await api::reply_error(
        request,
        {.code = Code::not_found,
         .message = fmt::format("No call `{}` is known: the last 1,000 calls that ended are kept.", request.rest)});
    co_return;
  }
  std::string body = ledger::to_json(*record);
  if (http::query_parameter(request.http.head.target.query, "story") == "true") {
    if (const auto story = story_of(body)) {
      body.back() = ',';  // the object goes on
      body += R"("story":)";
      text::append_json_string(body, *story);
      body += '}';
    }
  }
  co_await api::reply_json(request, 200, body);
}

/// `?limit=`: how many; nothing where it is no number from 1 to list_max.
std::optional<int> limit_of(std::string_view query) {
  const auto text = http::query_parameter(query, "limit");
  if (!text) {
    return list_default;
  }
  int limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size() || limit < 1 || limit > list_max) {
    return std::nullopt;
  }
  return limit;
}

Task<void> last_requests(api::ApiRequest& request, const ledger::RequestRing& ring) {
  const auto limit = limit_of(request.http.head.target.query);
  if (!limit) {
    co_await api::reply_error(request, {.code = Code::invalid_request,
                                        .message = fmt::format("`limit` is a whole number from 1 to {}.", list_max)});
    co_return;
  }
  std::string body = R"({"object":"list","data":[)";
  std::string_view separator;
  for (const ledger::RecordPtr& record : ring.last(static_cast<std::size_t>(*limit))) {
    body += separator;
    record->append_to(body);
    separator = ",";
  }
  body += "]}";
  co_await api::reply_json(request, 200, body);
}

}  // namespace

void add_request_endpoints(api::Registry& registry, const ledger::RequestRing& ring) {
  registry.add({.method = "GET",
                .path = "/admin/v1/requests/{id}",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "What happened in one of the last 1,000 calls: each attempt, why it was left, timings; "
                           "with `?story=true` also told in words."},
               [&ring](api::ApiRequest& request) { return one_request(request, ring); });
  registry.add({.method = "GET",
                .path = "/admin/v1/requests",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "The last calls that ended, the newest first: 100, or `?limit=` up to 1,000."},
               [&ring](api::ApiRequest& request) { return last_requests(request, ring); });
}

}  // namespace weir::admin
