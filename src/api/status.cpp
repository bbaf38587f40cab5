#include "api/status.hpp"

#include "api/reply.hpp"

namespace weir::api {

namespace {

using gateway::AuthClass;
using gateway::LimitsClass;

Task<void> healthz(ApiRequest& request) {
  co_await reply_json(request, 200, R"({"status":"ok"})");
}

}  // namespace

void add_status_endpoints(Registry& registry, const std::atomic<bool>& ready, MetricSource& metrics) {
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
