#include "admin/breakers.hpp"

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "api/numbers.hpp"
#include "api/reply.hpp"
#include "http/target.hpp"
#include "observe/json_time.hpp"
#include "text/json_scan.hpp"
#include "text/json_value.hpp"

namespace weir::admin {

namespace {

using routing::BreakerState;
using routing::TargetState;

std::string to_json(const TargetState::Report& report, const platform::Loop& loop) {
  api::JsonObject object;
  object.text("target", report.name)
      .text("state", routing::to_string(report.breaker))
      .flag("by_hand", report.by_hand)
      .number("failures_in_a_row", report.failures_in_a_row)
      .number("trips", static_cast<double>(report.trips))
      .number("in_flight", report.in_flight);
  if (report.breaker == BreakerState::open && !report.by_hand) {
    const platform::Duration left = report.open_until - loop.now();
    const auto until = loop.wall_now() + std::chrono::duration_cast<std::chrono::microseconds>(left);
    object.text("open_until", observe::rfc3339(until))
        .number("retry_after_seconds", std::ceil(std::chrono::duration<double>(left).count()));
  } else {
    object.raw("open_until", "null").raw("retry_after_seconds", "null");
  }
  return object.str();
}

Task<void> list(api::ApiRequest& request, const routing::TargetStates& targets) {
  std::string body = R"({"object":"list","data":[)";
  std::string_view separator;
  for (const auto& target : targets.all()) {
    body += separator;
    body += to_json(target->report(request.core.loop.now()), request.core.loop);
    separator = ",";
  }
  body += "]}";
  co_await api::reply_json(request, 200, body);
}

Task<void> change(api::ApiRequest& request, const routing::TargetStates& targets) {
  std::string name;
  const bool readable = http::percent_decode(request.rest, name);
  const auto target = readable ? targets.find(name) : nullptr;
  if (target == nullptr) {
    co_await api::reply_error(
        request, {.code = Code::not_found,
                  .message = fmt::format("There is no target `{}`. GET /admin/v1/breakers lists them.", name)});
    co_return;
  }
  std::string state;
  if (text::scan_object(request.http.body, [](const text::JsonMember&) {})) {
    const auto member = text::find_member(request.http.body, "state");
    state = member && member->kind == text::JsonKind::string ? text::unescape_lossy(member->string_raw()) : "";
  }
  if (state != "open" && state != "closed") {
    co_await api::reply_error(
        request, {.code = Code::invalid_request, .message = R"(Say {"state":"open"} or {"state":"closed"}.)"});
    co_return;
  }
  if (state == "open") {
    target->open_by_hand();
  } else {
    target->close_by_hand();
  }
  request.core.log.message(observe::Level::info, "admin",
                           fmt::format("the circuit breaker of {} was set to {} by hand", name, state));
  const std::string body = to_json(target->report(request.core.loop.now()), request.core.loop);
  co_await api::reply_json(request, 200, body);
}

}  // namespace

void add_breaker_endpoints(api::Registry& registry, const routing::TargetStates& targets) {
  registry.add({.method = "GET",
                .path = "/admin/v1/breakers",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "The circuit breaker of every target, and how many calls it has in flight."},
               [&targets](api::ApiRequest& request) { return list(request, targets); });
  registry.add({.method = "POST",
                .path = "/admin/v1/breakers/{target}",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = R"(Opens or closes one by hand: {"state":"open"} holds until {"state":"closed"}.)"},
               [&targets](api::ApiRequest& request) { return change(request, targets); });
}

}  // namespace weir::admin
