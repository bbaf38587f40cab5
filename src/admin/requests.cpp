#include "admin/requests.hpp"

#include <fmt/format.h>

#include "api/reply.hpp"
#include "platform/signal.hpp"

namespace weir::admin {

namespace {

// A caller may ask for a call's record the moment its last byte arrives, which is an instant before the call is
// settled.
constexpr auto settling_time = std::chrono::milliseconds(50);

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
  const std::string body = ledger::to_json(*record);
  co_await api::reply_json(request, 200, body);
}

}  // namespace

void add_request_endpoints(api::Registry& registry, const ledger::RequestRing& ring) {
  registry.add({.method = "GET",
                .path = "/admin/v1/requests/{id}",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "What happened in one of the last 1,000 calls: each attempt, why it was left, timings."},
               [&ring](api::ApiRequest& request) { return one_request(request, ring); });
}

}  // namespace weir::admin
