#include "api/status.hpp"

#include "api/reply.hpp"
#include "http/target.hpp"
#include "routing/resolve.hpp"
#include "text/json_value.hpp"

namespace weir::api {

namespace {

using gateway::AuthClass;
using gateway::LimitsClass;

void append_model(std::string& out, std::string_view name) {
  out += R"({"id":)";
  text::append_json_string(out, name);
  out += R"(,"object":"model","created":0,"owned_by":"weir"})";
}

/// The configured names; a pattern is listed as it is written, since what it takes is not known here.
Task<void> models(ApiRequest& request) {
  std::string body = R"({"object":"list","data":[)";
  bool first = true;
  const auto add = [&](std::string_view name) {
    if (!std::exchange(first, false)) {
      body += ',';
    }
    append_model(body, name);
  };
  const routing::ModelTable& table = request.core.snapshot->models;
  for (const auto& [name, policy] : table.exact) {
    add(name);
  }
  for (const routing::Pattern& pattern : table.patterns) {
    add(pattern.policy.name);
  }
  for (const routing::Forward& forward : table.forwards) {
    if (forward.off.empty()) {
      add(forward.provider + "/*");
    }
  }
  body += "]}";
  co_await reply_json(request, 200, body);
}

/// Any name that a call could give: one behind a pattern or a forwarding provider too. Names may hold slashes.
Task<void> one_model(ApiRequest& request) {
  std::string name;
  if (!http::percent_decode(request.rest, name)) {
    co_await reply_error(request,
                         {.code = Code::invalid_request, .message = "The model's name is not escaped correctly."});
    co_return;
  }
  const auto plan = routing::resolve(request.core.snapshot->models, name, false, request.core.loop.random());
  if (!plan) {
    co_await reply_error(request, plan.error());
    co_return;
  }
  std::string body;
  append_model(body, name);
  co_await reply_json(request, 200, body);
}

Task<void> healthz(ApiRequest& request) {
  co_await reply_json(request, 200, R"({"status":"ok"})");
}

}  // namespace

void add_status_endpoints(Registry& registry, const std::atomic<bool>& ready, MetricSource& metrics) {
  registry.add({.method = "GET",
                .path = "/v1/models",
                .upstream_path = "",
                .limits = LimitsClass::none,
                .summary = "The models that callers may name."},
               models);
  registry.add({.method = "GET",
                .path = "/v1/models/{id}",
                .upstream_path = "",
                .limits = LimitsClass::none,
                .summary = "One model that callers may name."},
               one_model);
  registry.add({.method = "GET",
                .path = "/healthz",
                .upstream_path = "",
                .auth = AuthClass::open,
                .limits = LimitsClass::none,
                .summary = "Liveness: touches nothing."},
               healthz);
  registry.add({.method = "GET",
                .path = "/readyz",
                .upstream_path = "",
                .auth = AuthClass::open,
                .limits = LimitsClass::none,
                .summary = "Readiness: 503 while starting and draining."},
               [&ready](ApiRequest& request) -> Task<void> {
                 const bool is_ready = ready.load(std::memory_order_relaxed);
                 return reply_json(request, is_ready ? 200 : 503,
                                   is_ready ? R"({"status":"ready"})" : R"({"status":"not ready"})");
               });
  struct Scrape {
    static Task<void> run(ApiRequest& request, MetricSource& source) {
      const platform::Until until{request.core.loop.now() + std::chrono::seconds(5), &request.end.cancellation};
      const auto merged = co_await source.gather(request.core.loop, until);
      if (!merged) {
        co_await reply_error(request,
                             {.code = Code::overloaded, .message = "Not every core told its numbers in time."});
        co_return;
      }
      const std::string body = observe::to_prometheus(*merged);
      co_await reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", body);
    }
  };
  registry.add({.method = "GET",
                .path = "/metrics/prometheus",
                .upstream_path = "",
                .auth = AuthClass::open,
                .limits = LimitsClass::none,
                .summary = "All metrics in Prometheus text format."},
               [&metrics](ApiRequest& request) { return Scrape::run(request, metrics); });
}

}  // namespace weir::api
