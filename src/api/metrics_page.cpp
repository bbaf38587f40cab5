#include "api/metrics_page.hpp"

#include <fmt/format.h>

#include "api/accept.hpp"
#include "api/numbers.hpp"
#include "api/reply.hpp"
#include "observe/json_time.hpp"
#include "observe/metric_names.hpp"
#include "platform/process_stats.hpp"

namespace weir::api {

namespace {

namespace metric = observe::metric;

double mean(const observe::Cell& seconds) {
  return seconds.count == 0 ? 0 : seconds.value / static_cast<double>(seconds.count);
}

std::string percent(double part, double whole) {
  return fmt::format("{:.2f}%", whole == 0 ? 0 : 100 * part / whole);
}

std::string performance(const observe::MetricShard& shard) {
  const double requests = sum_of(shard, metric::requests).value;
  const double streamed = sum_of(shard, metric::streams).value;
  const auto failed = [](const Labels& labels) { return labels[2].size() == 3 && labels[2] >= "400"; };
  const auto output = [](const Labels& labels) { return labels[1] == "output"; };
  return JsonObject()
      .number("total_requests", requests)
      .number("total_tokens_generated", sum_of(shard, metric::tokens, output).value)
      .text("average_latency_seconds", fmt::format("{:.2f}", mean(sum_of(shard, metric::request_seconds))))
      .number("streaming_requests", streamed)
      .number("non_streaming_requests", std::max(0.0, requests - streamed))
      .number("errors", sum_of(shard, metric::requests, failed).value)
      .str();
}

std::string http_client(const observe::MetricShard& shard) {
  const double total = sum_of(shard, metric::attempts).value;
  const double good =
      sum_of(shard, metric::attempts, [](const Labels& labels) { return labels[1] == "complete"; }).value;
  return JsonObject()
      .number("total", total)
      .number("successful", good)
      .number("failed", total - good)
      .text("average_response_time", fmt::format("{:.2f}", mean(sum_of(shard, metric::attempt_seconds))))
      .text("error_rate", percent(total - good, total))
      .str();
}

std::string connection_pool(const observe::MetricShard& shard) {
  return JsonObject()
      .number("active", sum_of(shard, metric::pool_active).value)
      .number("idle", sum_of(shard, metric::pool_idle).value)
      .number("pending", sum_of(shard, metric::pool_waiting).value)
      .number("reused", sum_of(shard, metric::pool_reused).value)
      .str();
}

std::string system() {
  const platform::ProcessStats stats = platform::read_process_stats();
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  return JsonObject()
      .raw("cpu", JsonObject().number("seconds", stats.cpu_seconds).number("cores", stats.cores).str())
      .raw("memory", JsonObject().number("resident_bytes", number(stats.memory_bytes)).str())
      .raw("disk", JsonObject()
                       .number("read_bytes", number(stats.disk_read_bytes))
                       .number("written_bytes", number(stats.disk_written_bytes))
                       .str())
      .raw("network", JsonObject()
                          .number("received_bytes", number(stats.network_received_bytes))
                          .number("sent_bytes", number(stats.network_sent_bytes))
                          .str())
      .number("threads", number(stats.threads))
      .str();
}

/// In the shape that is fixed for it, with the zeros of what has counted nothing, since it is not built.
std::string to_json(const observe::MetricShard& shard, std::string_view version, platform::WallTime now) {
  const std::string cache = JsonObject()
                                .number("hits", 0)
                                .number("misses", 0)
                                .text("hit_rate", percent(0, 0))
                                .number("cache_size", 0)
                                .number("memory", 0)
                                .number("evictions", 0)
                                .raw("warming", R"({"enabled":false})")
                                .flag("built", false)
                                .str();
  const std::string rate_limiter = JsonObject()
                                       .number("active_clients", sum_of(shard, metric::limit_scopes).value)
                                       .number("max_requests_per_window", sum_of(shard, metric::limit_requests).value)
                                       .number("window_seconds", sum_of(shard, metric::limit_window).value)
                                       .flag("built", true)
                                       .str();
  return JsonObject()
      .text("sopa_version", version)
      .text("version", version)
      .raw("performance", performance(shard))
      .raw("cache", cache)
      .raw("rate_limiter", rate_limiter)
      .raw("http_client", http_client(shard))
      .raw("connection_pool", connection_pool(shard))
      .raw("system", system())
      .text("timestamp", observe::rfc3339(now))
      .str();
}

Task<void> metrics_page(ApiRequest& request, MetricSource& source, std::string_view version) {
  const auto merged = co_await source.gather(
      request.core.loop, {request.core.loop.now() + std::chrono::seconds(5), &request.end.cancellation});
  if (!merged) {
    co_await reply_error(request, {.code = Code::overloaded, .message = "Not every core told its numbers in time."});
    co_return;
  }
  if (wants_prometheus_text(request.http.head.headers)) {
    const std::string text = observe::to_prometheus(*merged);
    co_await reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", text);
    co_return;
  }
  const std::string json = to_json(*merged, version, request.core.loop.wall_now());
  co_await reply_json(request, 200, json);
}

}  // namespace

void add_metrics_endpoint(Registry& registry, MetricSource& metrics, std::string_view version) {
  registry.add({.method = "GET",
                .path = "/metrics",
                .upstream_path = "",
                .auth = gateway::AuthClass::open,
                .limits = gateway::LimitsClass::none,
                .summary = "Metrics as JSON, or in Prometheus text format where Accept prefers text/plain."},
               [&metrics, version](ApiRequest& request) { return metrics_page(request, metrics, version); });
}

}  // namespace weir::api
