#include "app/options.hpp"

#include "app/options_table.hpp"

namespace weir::app {

std::unique_ptr<settings::Schema> option_schema() {
  OptionTable table;
  add_server_options(table);
  add_auth_options(table);
  add_provider_options(table);
  add_tls_options(table);
  add_mock_options(table);
  add_store_options(table);
  add_model_options(table);
  add_policy_options(table, "");
  add_limit_options(table);
  add_price_options(table);
  add_later_options(table);
  auto schema = std::make_unique<settings::Schema>(std::move(table));
  for (const auto& [name, path] : option_aliases()) {
    schema->add_alias(name, path);
  }
  return schema;
}

std::vector<std::pair<std::string, std::string>> option_aliases() {
  return {{"logging", "log"},
          {"caching.response_cache", "caching.exact"},
          {"http_client.timeout", "timeouts.total"},
          {"http_client.read_timeout", "timeouts.between_events"},
          {"http_client.connect_timeout", "timeouts.connect"}};
}

settings::VariableNames option_variables() {
  return {.prefix = "WEIR_",
          .named = {{"HTTP_TIMEOUT", "timeouts.total"},
                    {"HTTP_CONNECT_TIMEOUT", "timeouts.connect"},
                    {"HTTP_MAX_CONNECTIONS", "http_client.pool_limits.max_connections"},
                    {"WORKERS", "server.workers"},
                    {"WORKER_CONNECTIONS", "server.worker_connections"},
                    {"MAX_REQUESTS", "server.max_requests"},
                    {"REDIS_URL", "redis.url"},
                    {"DATABASE_URL", "store.url"},
                    {"WEIR_ADMIN_KEY", "auth.admin_key"},
                    {"JWT_SECRET", "sessions.jwt_secret"},
                    {"L1_CACHE_TTL", "sessions.l1_cache_ttl"},
                    {"L2_CACHE_TTL", "sessions.l2_cache_ttl"},
                    {"MAX_REQUESTS_PER_HOUR", "sessions.max_requests_per_hour"},
                    {"MODEL_DEVICE", "local_models.device"},
                    {"MAX_QUEUE_SIZE", "queue.max_waiting"},
                    {"CACHE_MAX_MEMORY_MB", "caching.exact.max_size_mb"},
                    {"CACHE_TTL", "caching.exact.ttl"},
                    {"CACHE_COMPRESSION", "caching.exact.compression"},
                    {"MEMORY_MAX_USAGE_PERCENT", "memory.max_usage_percent"},
                    {"MEMORY_MONITORING_INTERVAL", "memory.monitoring_interval"},
                    {"PERFORMANCE_PROFILING", "profiling.enabled"},
                    {"PROFILE_INTERVAL", "profiling.profile_interval"}},
          .elsewhere = {"WEIR_URL", "WEIR_ADMIN_KEY"}};
}

std::vector<std::string> overlay_names() {
  return {"development", "staging", "production"};
}

}  // namespace weir::app
