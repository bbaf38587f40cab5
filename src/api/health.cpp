#include "api/health.hpp"

#include <algorithm>
#include <chrono>

#include "api/numbers.hpp"
#include "api/reply.hpp"
#include "observe/json_time.hpp"
#include "observe/metric_names.hpp"
#include "platform/process_stats.hpp"

namespace weir::api {

namespace {

namespace metric = observe::metric;

enum class Health : std::uint8_t { healthy, degraded, unhealthy };

std::string_view to_string(Health health) {
  switch (health) {
    case Health::healthy: return "healthy";
    case Health::degraded: return "degraded";
    case Health::unhealthy: return "unhealthy";
  }
  return "unhealthy";
}

/// One component: how it is, and the members that say why.
struct Check {
  std::string name;
  Health health = Health::healthy;
  JsonObject members;
};

JsonObject of(Health health) {
  JsonObject object;
  object.text("status", to_string(health));
  return object;
}

constexpr double enough_attempts = 5;  // in the last minute, to say anything of a provider

struct ProviderHealth {
  std::string name;
  Health health = Health::healthy;
  double succeeded = 0;  // in the last minute
  double failed = 0;
  double total_succeeded = 0;  // since the start
  double total_failed = 0;
  observe::Cell seconds;
  std::vector<routing::TargetState::Report> targets;
  std::string keys = "{}";  // JSON, by label
  std::string reachability = "null";
  std::string probes = "{}";  // JSON, by target
};

using Reports = std::vector<routing::TargetState::Report>;

bool is_target_of(std::string_view target, std::string_view provider) {
  return target.starts_with(provider) && target.substr(provider.size()).starts_with('/');
}

ProviderHealth health_of(const observe::MetricShard& shard, const std::string& name, const Reports& targets) {
  ProviderHealth provider{.name = name};
  const auto recent = [&](std::string_view outcome) {
    return sum_of(shard, metric::provider_recent,
                  [&](const Labels& labels) { return labels[0] == name && labels[1] == outcome; })
        .value;
  };
  provider.succeeded = recent("succeeded");
  provider.failed = recent("failed");
  if (provider.succeeded + provider.failed >= enough_attempts && provider.failed > provider.succeeded) {
    provider.health = provider.succeeded == 0 ? Health::unhealthy : Health::degraded;
  }
  for (const routing::TargetState::Report& target : targets) {
    if (is_target_of(target.name, name)) {
      provider.targets.push_back(target);
    }
  }
  const auto shut = [](const auto& target) { return target.breaker != routing::BreakerState::closed; };
  if (std::ranges::any_of(provider.targets, shut)) {
    const bool all = std::ranges::all_of(provider.targets, shut);
    provider.health = std::max(provider.health, all ? Health::unhealthy : Health::degraded);
  }
  provider.total_succeeded = sum_of(shard, metric::attempts, [&](const Labels& labels) {
                               return is_target_of(labels[0], name) && labels[1] == "complete";
                             }).value;
  provider.total_failed = sum_of(shard, metric::attempts, [&](const Labels& labels) {
                            return is_target_of(labels[0], name) && labels[1] != "complete";
                          }).value;
  provider.seconds =
      sum_of(shard, metric::attempt_seconds, [&](const Labels& labels) { return is_target_of(labels[0], name); });
  return provider;
}

/// Each key by its label; never a value.
std::string keys_to_json(const providers::KeyPool& pool, platform::Instant now) {
  JsonObject keys;
  for (const providers::KeyPool::State& state : pool.states(now)) {
    const bool out = state.breaker == routing::BreakerState::open;
    JsonObject key;
    key.text("status", out                     ? "out"
                       : state.resting.empty() ? "usable"
                                               : "resting")
        .text("breaker", routing::to_string(state.breaker))
        .number("in_flight", state.in_flight)
        .number("calls", static_cast<double>(state.calls))
        .number("failures", static_cast<double>(state.failures));
    if (state.last_error) {
      key.text("last_error", llm::to_string(*state.last_error));
    }
    if (state.by_hand) {
      key.flag("by_hand", true);
    }
    if (out && !state.by_hand) {
      key.number("seconds_left", std::chrono::duration<double>(*state.out_until - now).count());
    }
    // How many, not which: callers may have made their names up.
    key.number("resting_models", static_cast<double>(state.resting.size()));
    keys.raw(state.label, key.str());
  }
  return keys.str();
}

/// What the last free check found: no address and no words of others, for anybody may read it.
std::string reachability_to_json(const providers::Reachability& all, const std::string& name, platform::Instant now) {
  const auto found = all.of(name);
  if (!found) {
    return "null";
  }
  JsonObject object;
  object.flag("reachable", !found->failure);
  if (found->failure) {
    object.text("failure", weir::to_string(*found->failure));
  }
  object.number("seconds", std::chrono::duration<double>(found->took).count())
      .number("seconds_ago", std::chrono::duration<double>(now - found->at).count());
  return object.str();
}

std::string probes_to_json(const providers::Reachability& all, std::string_view provider, platform::Instant now) {
  JsonObject object;
  for (const providers::Reachability::Probed& probed : all.probes()) {
    if (is_target_of(probed.target, provider)) {
      object.raw(probed.target, JsonObject()
                                    .flag("answered", probed.answered)
                                    .number("succeeded", static_cast<double>(probed.succeeded))
                                    .number("failed", static_cast<double>(probed.failed))
                                    .number("seconds_ago", std::chrono::duration<double>(now - probed.at).count())
                                    .str());
    }
  }
  return object.str();
}

std::vector<ProviderHealth> providers_of(const ApiRequest& request, const observe::MetricShard& shard,
                                         const routing::TargetStates& states,
                                         const providers::Reachability& reachability) {
  Reports targets;
  for (const auto& state : states.all()) {
    targets.push_back(state->report(request.core.loop.now()));
  }
  std::vector<ProviderHealth> providers;
  if (request.core.snapshot != nullptr) {
    for (const auto& [name, provider] : request.core.snapshot->providers) {
      providers.push_back(health_of(shard, name, targets));
      providers.back().reachability = reachability_to_json(reachability, name, request.core.loop.now());
      providers.back().probes = probes_to_json(reachability, name, request.core.loop.now());
      if (const providers::KeyPool* pool = provider->keys()) {
        providers.back().keys = keys_to_json(*pool, request.core.loop.now());
      }
    }
  }
  return providers;
}

std::string to_json(const ProviderHealth& provider) {
  const double recent = provider.succeeded + provider.failed;
  JsonObject object = of(provider.health);
  object.raw("last_minute",
             JsonObject().number("succeeded", provider.succeeded).number("failed", provider.failed).str());
  if (recent > 0) {
    object.number("success_rate", provider.succeeded / recent);
  } else {
    object.raw("success_rate", "null");
  }
  object.raw("total",
             JsonObject().number("succeeded", provider.total_succeeded).number("failed", provider.total_failed).str());
  if (provider.seconds.count > 0) {
    object.number("average_seconds", provider.seconds.value / static_cast<double>(provider.seconds.count));
  } else {
    object.raw("average_seconds", "null");
  }
  // The worst of its targets, and each of them.
  auto worst = routing::BreakerState::closed;
  JsonObject targets;
  for (const routing::TargetState::Report& target : provider.targets) {
    const bool worse = target.breaker == routing::BreakerState::open || worst == routing::BreakerState::closed;
    worst = worse ? target.breaker : worst;
    targets.raw(target.name, JsonObject()
                                 .text("breaker", routing::to_string(target.breaker))
                                 .number("failures_in_a_row", target.failures_in_a_row)
                                 .number("trips", static_cast<double>(target.trips))
                                 .number("in_flight", target.in_flight)
                                 .str());
  }
  object.text("breaker", routing::to_string(worst)).raw("targets", targets.str()).raw("keys", provider.keys);
  object.raw("reachability", provider.reachability).raw("probes", provider.probes);
  return object.str();
}

std::string to_json(const std::vector<ProviderHealth>& providers) {
  JsonObject all;
  for (const ProviderHealth& provider : providers) {
    all.raw(provider.name, to_json(provider));
  }
  return all.str();
}

Check check_providers(const std::vector<ProviderHealth>& providers) {
  std::size_t bad = 0;
  std::size_t dead = 0;
  std::size_t asked = 0;
  for (const ProviderHealth& provider : providers) {
    bad += provider.health != Health::healthy ? 1 : 0;
    dead += provider.health == Health::unhealthy ? 1 : 0;
    asked += provider.succeeded + provider.failed > 0 ? 1 : 0;
  }
  Check check{.name = "providers", .members = {}};
  if (bad > 0) {
    check.health = dead == asked ? Health::unhealthy : Health::degraded;
  }
  check.members = of(check.health);
  check.members.number("configured", static_cast<double>(providers.size())).number("failing", static_cast<double>(bad));
  return check;
}

Check check_memory(const observe::MetricShard& shard) {
  const double held = sum_of(shard, metric::body_bytes, [](const Labels& l) { return l[0] == "held"; }).value;
  const double most = sum_of(shard, metric::body_bytes, [](const Labels& l) { return l[0] == "most"; }).value;
  Check check{.name = "memory", .health = held > 0.9 * most ? Health::degraded : Health::healthy, .members = {}};
  check.members = of(check.health);
  check.members.number("resident_bytes", static_cast<double>(platform::read_process_stats().memory_bytes))
      .number("request_body_bytes", held)
      .number("request_body_bytes_max", most);
  return check;
}

/// Where calls are kept. Degraded at worst: calls go on without it.
Check check_store(const observe::MetricShard& shard) {
  bool kept = false;  // on the disk
  const bool available = sum_of(shard, metric::store_up, [&](const Labels&) { return kept = true; }).value > 0;
  const bool journal_good = sum_of(shard, metric::journal_good).value > 0;
  Check check{.name = "store",
              .health = !kept || (available && journal_good) ? Health::healthy : Health::degraded,
              .members = {}};
  check.members = of(check.health);
  check.members.text("kind", kept ? "sqlite" : "memory");
  if (kept) {
    check.members.flag("available", available)
        .flag("journal_good", journal_good)
        .number("waiting_in_memory_bytes", sum_of(shard, metric::journal_memory).value)
        .number("records_lost", sum_of(shard, metric::journal_lost).value)
        .number("calls_stored", sum_of(shard, metric::store_shipped).value);
  }
  return check;
}

struct Judged {
  Health health = Health::healthy;
  std::vector<Check> checks;
  std::vector<ProviderHealth> providers;
  std::optional<observe::MetricShard> shard;
};

Task<Judged> judge(ApiRequest& request, const std::atomic<bool>& ready, MetricSource& source,
                   const routing::TargetStates& targets, const providers::Reachability& reachability) {
  Judged judged;
  // Within this process: a core that does not tell its numbers in a second is stuck.
  judged.shard = co_await source.gather(request.core.loop,
                                        {request.core.loop.now() + std::chrono::seconds(1), &request.end.cancellation});
  Check cores{.name = "cores", .health = judged.shard ? Health::healthy : Health::unhealthy, .members = {}};
  cores.members = of(cores.health);
  const bool is_ready = ready.load(std::memory_order_relaxed);
  Check accepting{.name = "accepting", .health = is_ready ? Health::healthy : Health::unhealthy, .members = {}};
  accepting.members = of(accepting.health);
  judged.checks.push_back(std::move(cores));
  judged.checks.push_back(std::move(accepting));
  if (judged.shard) {
    judged.providers = providers_of(request, *judged.shard, targets, reachability);
    judged.checks.push_back(check_memory(*judged.shard));
    judged.checks.push_back(check_providers(judged.providers));
    judged.checks.push_back(check_store(*judged.shard));
  }
  for (const Check& check : judged.checks) {
    judged.health = std::max(judged.health, check.health);
  }
  co_return judged;
}

JsonObject head_of(const ApiRequest& request, Health health, std::string_view version) {
  JsonObject object = of(health);
  object.text("service", "weir").text("version", version);
  object.text("timestamp", observe::rfc3339(request.core.loop.wall_now()));
  return object;
}

std::string checks_of(const std::vector<Check>& checks) {
  JsonObject all;
  for (const Check& check : checks) {
    all.raw(check.name, check.members.str());
  }
  return all.str();
}

int status_of(Health health) {
  return health == Health::unhealthy ? 503 : 200;
}

struct Pages {
  const std::atomic<bool>& ready;
  MetricSource& metrics;
  const routing::TargetStates& targets;
  const providers::Reachability& reachability;
  std::string_view version;

  static Task<void> health(ApiRequest& request, Pages pages) {
    const Judged judged = co_await judge(request, pages.ready, pages.metrics, pages.targets, pages.reachability);
    JsonObject object = head_of(request, judged.health, pages.version);
    object.raw("checks", checks_of(judged.checks));
    const std::string body = object.str();
    co_await reply_json(request, status_of(judged.health), body);
  }

  static Task<void> detailed(ApiRequest& request, Pages pages) {
    const Judged judged = co_await judge(request, pages.ready, pages.metrics, pages.targets, pages.reachability);
    JsonObject object = head_of(request, judged.health, pages.version);
    object.raw("checks", checks_of(judged.checks));
    JsonObject components;
    if (judged.shard) {
      const auto value = [&](const observe::MetricFamily& family) { return sum_of(*judged.shard, family).value; };
      const double lost = value(metric::log_dropped);
      components.raw("log", of(Health::healthy).number("lines_dropped", lost).str());
      components.raw("server", of(Health::healthy)
                                   .number("connections", value(metric::connections))
                                   .number("requests_in_flight", value(metric::in_flight))
                                   .str());
      const bool good = value(metric::config_good) > 0;
      components.raw("configuration", of(good ? Health::healthy : Health::degraded)
                                          .flag("last_reload_good", good)
                                          .number("loaded_at", value(metric::config_loaded))
                                          .str());
    }
    for (const std::string_view name : {"cache", "rate_limiter", "queue"}) {
      components.raw(name, R"({"status":"not built"})");
    }
    object.raw("components", components.str());
    object.raw("providers", to_json(judged.providers));
    const std::string body = object.str();
    co_await reply_json(request, status_of(judged.health), body);
  }

  static Task<void> providers(ApiRequest& request, Pages pages) {
    const Judged judged = co_await judge(request, pages.ready, pages.metrics, pages.targets, pages.reachability);
    const Health health = judged.shard ? check_providers(judged.providers).health : Health::unhealthy;
    JsonObject object = head_of(request, health, pages.version);
    object.raw("providers", to_json(judged.providers));
    const std::string body = object.str();
    co_await reply_json(request, status_of(health), body);
  }
};

}  // namespace

void add_health_endpoints(Registry& registry, const std::atomic<bool>& ready, MetricSource& metrics,
                          const routing::TargetStates& targets, const providers::Reachability& reachability,
                          std::string_view version) {
  const Pages pages{ready, metrics, targets, reachability, version};
  const auto add = [&](std::string_view path, std::string_view summary, Task<void> (*page)(ApiRequest&, Pages)) {
    registry.add({.method = "GET",
                  .path = path,
                  .upstream_path = "",
                  .auth = gateway::AuthClass::open,
                  .limits = gateway::LimitsClass::none,
                  .summary = summary},
                 [pages, page](ApiRequest& request) { return page(request, pages); });
  };
  add("/health", "How weir is, from recent state: 503 where it is unhealthy.", Pages::health);
  add("/health/detailed", "The same with every component and provider.", Pages::detailed);
  add("/health/providers", "Every provider with its circuit breakers and how its last calls went.", Pages::providers);
}

}  // namespace weir::api
