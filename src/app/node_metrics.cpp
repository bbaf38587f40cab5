#include "app/node_metrics.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "app/record_keeping.hpp"
#include "app/version.hpp"
#include "observe/metric_names.hpp"

namespace weir::app {

namespace metric = observe::metric;

namespace {

double breaker_gauge(routing::BreakerState state) {
  switch (state) {
    case routing::BreakerState::closed: return 0;
    case routing::BreakerState::half_open: return 1;
    case routing::BreakerState::open: return 2;
  }
  return 0;
}

/// What callers without a key may ask.
void add_limit(const Config& config, observe::MetricShard& into) {
  for (const limits::WindowLimit& limit : config.allowances.without_key.windows) {
    if (limit.unit == limits::Unit::requests) {
      into.cell(metric::limit_requests, {}).add(static_cast<double>(limit.amount));
      into.cell(metric::limit_window, {}).add(std::chrono::duration<double>(limit.window).count());
      return;
    }
  }
}

void add_connections(http::ServerCore& server, observe::MetricShard& into) {
  const http::ServerStatistics& counted = server.statistics();
  const auto open = static_cast<double>(server.load().load(std::memory_order_relaxed));
  const auto active = static_cast<double>(counted.active);
  into.cell(metric::connections, {"active"}).add(active);
  into.cell(metric::connections, {"idle"}).add(std::max(0.0, open - active));
  into.cell(metric::accepted, {}).add(static_cast<double>(counted.accepted));
  into.cell(metric::connections_refused, {"full"}).add(static_cast<double>(counted.refused_full));
  into.cell(metric::connections_refused, {"address"}).add(static_cast<double>(counted.refused_address));
}

void add_handshakes(const net::TlsStatistics& tls, observe::MetricShard& into) {
  for (const auto& [outcome, count] :
       {std::pair{"full", tls.handshakes - tls.resumed}, {"resumed", tls.resumed}, {"failed", tls.failed}}) {
    into.cell(metric::client_tls_handshakes, {outcome}).add(static_cast<double>(count));
  }
}

void add_lookups(const net::DialerStatistics& names, observe::MetricShard& into) {
  for (const auto& [outcome, count] : {std::pair{"asked", names.lookups},
                                       {"failed", names.failed_lookups},
                                       {"cached", names.cache_hits},
                                       {"stale", names.stale_hits}}) {
    into.cell(metric::dns_lookups, {outcome}).add(static_cast<double>(count));
  }
}

void add_keys(const KeyPools& pools, platform::Instant now, observe::MetricShard& into) {
  for (const auto& pool : pools.all()) {
    for (const providers::KeyPool::State& key : pool->states(now)) {
      into.cell(metric::key_calls, {pool->provider(), key.label}).add(static_cast<double>(key.calls));
      into.cell(metric::key_failures, {pool->provider(), key.label}).add(static_cast<double>(key.failures));
      into.cell(metric::key_out, {pool->provider(), key.label}).add(key.out_until ? 1 : 0);
      into.cell(metric::key_breaker, {pool->provider(), key.label}).add(breaker_gauge(key.breaker));
      into.cell(metric::key_breaker_trips, {pool->provider(), key.label}).add(static_cast<double>(key.trips));
    }
  }
}

void add_reachability(const providers::Reachability& reachability, observe::MetricShard& into) {
  for (const providers::Reachability::Found& found : reachability.all()) {
    into.cell(metric::provider_reachable, {found.provider}).add(found.failure ? 0 : 1);
    into.cell(metric::provider_checks, {found.provider, "ok"}).add(static_cast<double>(found.succeeded));
    into.cell(metric::provider_checks, {found.provider, "failed"}).add(static_cast<double>(found.failed));
  }
  for (const providers::Reachability::Probed& probed : reachability.probes()) {
    into.cell(metric::probes, {probed.target, "ok"}).add(static_cast<double>(probed.succeeded));
    into.cell(metric::probes, {probed.target, "failed"}).add(static_cast<double>(probed.failed));
  }
}

void add_budgets(const ledger::Budgets& budgets, platform::WallTime now, observe::MetricShard& into) {
  constexpr std::size_t told_max = 1000;
  for (const ledger::Budgets::Standing& one : budgets.standings(now, told_max)) {
    const bool money = one.unit == ledger::Budget::Unit::money;
    const std::string_view unit = money ? "usd" : one.unit == ledger::Budget::Unit::tokens ? "tokens" : "output_tokens";
    const double scale = money ? 1e-12 : 1;
    const std::vector<std::string_view> labels = {ledger::to_string(one.owner), one.id, unit,
                                                  ledger::to_string(one.period)};
    into.cell(metric::budget_used, labels).add(static_cast<double>(one.spent) * scale);
    into.cell(metric::budget_held, labels).add(static_cast<double>(one.held) * scale);
    into.cell(metric::budget_cap, labels).add(static_cast<double>(one.cap) * scale);
  }
}

void add_targets(const routing::TargetStates& targets, platform::Instant now, observe::MetricShard& into) {
  for (const auto& target : targets.all()) {
    const routing::TargetState::Report report = target->report(now);
    into.cell(metric::breaker_state, {report.name}).add(breaker_gauge(report.breaker));
    into.cell(metric::breaker_trips, {report.name}).add(static_cast<double>(report.trips));
    into.cell(metric::target_in_flight, {report.name}).add(report.in_flight);
  }
}

}  // namespace

void ReloadCounts::collect(observe::MetricShard& into) const {
  const auto relaxed = std::memory_order_relaxed;
  into.cell(metric::config_reloads, {"applied"}).add(static_cast<double>(applied_.load(relaxed)));
  into.cell(metric::config_reloads, {"rejected"}).add(static_cast<double>(rejected_.load(relaxed)));
  into.cell(metric::config_good, {}).add(last_good_.load(relaxed) ? 1 : 0);
  into.cell(metric::config_loaded, {}).add(static_cast<double>(loaded_at_us_.load(relaxed)) / 1e6);
}

observe::MetricShard read_numbers(const CoreNumbers& from) {
  observe::MetricShard shard = from.gateway.metrics;
  from.gateway.call_metrics.collect(shard, from.gateway.loop.now());
  for (const providers::Provider* provider : from.providers) {
    provider->collect(shard);
  }
  if (from.same_on_all_cores != nullptr) {
    add_limit(*from.same_on_all_cores, shard);
  }
  add_connections(from.server, shard);
  add_lookups(from.dialer.statistics(), shard);
  if (from.serves_tls) {
    add_handshakes(from.server.tls_statistics(), shard);
  }
  return shard;
}

void add_numbers_of_all(const SharedNumbers& from, const platform::Loop& asking, observe::MetricShard& into) {
  into.cell(metric::build_info, {version}).add();
  from.reloads.collect(into);
  add_keys(from.key_pools, asking.now(), into);
  add_reachability(from.reachability, into);
  into.cell(metric::body_bytes, {"held"}).add(static_cast<double>(from.bodies.used()));
  into.cell(metric::body_bytes, {"most"}).add(static_cast<double>(from.bodies_bytes_max));
  into.cell(metric::log_dropped, {}).add(static_cast<double>(from.log.dropped()));
  if (from.records != nullptr) {
    from.records->collect(into);
  }
  const Gates::KeyCounts keys = from.gates.count(asking.wall_now());
  into.cell(metric::auth_keys, {"active"}).add(static_cast<double>(keys.active));
  into.cell(metric::auth_keys, {"inactive"}).add(static_cast<double>(keys.inactive));
  into.cell(metric::auth_keys, {"expired"}).add(static_cast<double>(keys.expired));
  into.cell(metric::limit_scopes, {}).add(static_cast<double>(from.limiter.scopes()));
  add_budgets(from.budgets, asking.wall_now(), into);
  add_targets(from.targets, asking.now(), into);
  into.cell(metric::live_watchers, {}).add(from.live.watchers());
  into.cell(metric::live_dropped, {}).add(static_cast<double>(from.live.lost()));
}

}  // namespace weir::app
