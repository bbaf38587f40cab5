#include "app/node_core.hpp"

#include <fmt/format.h>

#include "app/config_changes.hpp"
#include "app/make_provider.hpp"
#include "http/forwarded.hpp"

namespace weir::app {

namespace {

http::ServerOptions server_options(const ServerConfig& config) {
  http::ServerOptions options;
  options.head_limits.head_bytes_max = config.head_max;
  options.body_bytes_max = config.body_max;
  options.head_timeout = config.head_timeout;
  options.body_timeout = config.body_timeout;
  options.idle_timeout = config.idle_timeout;
  options.drain_idle_timeout = config.drain_idle_timeout;
  options.write_timeout = config.write_timeout;
  options.connections_max = config.worker_connections;
  for (const std::string& proxy : config.trusted_proxies) {
    if (proxy == "unix") {
      options.trusted_proxies.push_back({.address = http::unix_peer});
    } else if (const auto network = platform::parse_network(proxy)) {  // always: the configuration was checked
      options.trusted_proxies.push_back(*network);
    }
  }
  return options;
}

net::Dialer::Options dialer_options(const HttpClientConfig& config) {
  net::Dialer::Options options{.name_ttl = config.dns_cache_ttl, .keep_alive = std::nullopt};
  if (config.tcp_keepalive) {
    options.keep_alive = {.idle = std::chrono::ceil<std::chrono::seconds>(config.tcp_keepalive_idle),
                          .interval = std::chrono::ceil<std::chrono::seconds>(config.tcp_keepalive_interval),
                          .count = config.tcp_keepalive_count};
  }
  return options;
}

gateway::RelayOptions relay_options(const Config& config) {
  gateway::RelayOptions options;
  options.keep_alive_after = config.keep_alive.enabled ? config.keep_alive.after : std::chrono::milliseconds(0);
  options.keep_alive_every = config.keep_alive.every;
  return options;
}

net::TaskGroup::OnFailure on_failure(observe::Log& log) {
  return [&log](std::string_view task, const std::string& what) {
    log.message(observe::Level::error, "core", fmt::format("the task {} ended with an exception: {}", task, what));
  };
}

}  // namespace

Node::Core::Core(platform::Loop& loop, Node& node, const routing::ModelTable& models)
    : node_(node),
      gateway{.loop = loop,
              .snapshot = {},
              .records = node,
              .log = node.log_,
              .tees = {},
              .relay = {},
              .budget = &node.budget_,
              .limiter = &node.limiter_,
              .budgets = &node.budgets_,
              .metrics = {}},
      dialer(loop, dialer_options(node.config_->http_client)),
      retiring(loop, on_failure(node.log_)),
      router(node.registry_, gateway, {.loopback_only = std::ranges::all_of(node.config_->listen, is_loopback)}),
      server(loop, router, node.budget_, server_options(node.config_->server), on_failure(node.log_), &node.peers_,
             &node.body_shares_),
      lifecycle(loop, on_failure(node.log_)) {
  use(node.config_,
      std::make_shared<gateway::Snapshot>(gateway::Snapshot{.models = models, .allowances = {}, .providers = {}}));
}

Node::Core::~Core() {
  gateway.snapshot.reset();
}

void Node::Core::use(std::shared_ptr<const Config> next_config, const std::shared_ptr<gateway::Snapshot>& next) {
  if (stopped) {
    return;  // the news overtook the end
  }
  for (const ProviderConfig& provider : next_config->providers) {
    if (!provider.enabled) {
      continue;
    }
    std::shared_ptr<providers::Provider> kept = same_as_in_use(*next_config, provider);
    next->providers.emplace(provider.name, kept != nullptr ? std::move(kept) : make(*next_config, provider));
  }
  gateway.relay = relay_options(*next_config);
  gateway.prices.use(next_config->prices);
  dialer.set_options(dialer_options(next_config->http_client));
  server.set_options(server_options(next_config->server));
  config = std::move(next_config);
  next->allowances = node_.allowances_.in_use();
  gateway.snapshot = next;
  use_gate();
}

void Node::Core::use_gate() {
  if (!stopped) {
    gateway.gate = node_.gates_.for_core();
  }
}

void Node::Core::use_allowances() {
  auto allowances = node_.allowances_.in_use();
  if (stopped || allowances == gateway.snapshot->allowances) {
    return;
  }
  auto next = std::make_shared<gateway::Snapshot>(*gateway.snapshot);
  next->allowances = std::move(allowances);
  gateway.snapshot = std::move(next);
}

std::shared_ptr<providers::Provider> Node::Core::same_as_in_use(const Config& next_config,
                                                                const ProviderConfig& provider) const {
  if (gateway.snapshot == nullptr) {
    return nullptr;
  }
  const auto found = gateway.snapshot->providers.find(provider.name);
  const auto before = std::ranges::find(config->providers, provider.name, &ProviderConfig::name);
  const bool same = found != gateway.snapshot->providers.end() && before != config->providers.end() &&
                    same_provider(*config, *before, next_config, provider);
  return same ? found->second : nullptr;
}

/// One that is closed, and only then destroyed, when the last snapshot that names it is gone: with the last call that
/// was begun before it was replaced.
std::shared_ptr<providers::Provider> Node::Core::make(const Config& from, const ProviderConfig& provider) {
  const auto retire = [this](providers::Provider* gone) {
    retiring.spawn("close a provider", close(std::unique_ptr<providers::Provider>(gone)));
  };
  std::shared_ptr<providers::Provider> made(
      make_provider(gateway.loop, dialer, from, provider,
                    {.tls = node_.tls_, .slots = node_.slots_, .keys = node_.key_pools_})
          .release(),
      retire);
  open_providers.push_back(made.get());
  return made;
}

Task<void> Node::Core::close(std::unique_ptr<providers::Provider> provider) {
  co_await provider->close();
  provider->collect(gateway.metrics);  // its counters stay; it has no connections left to be counted
  std::erase(open_providers, provider.get());
}

observe::MetricShard Node::Core::numbers() {
  const bool first = &node_.cores_.front()->gateway == &gateway;
  return read_numbers({.gateway = gateway,
                       .providers = open_providers,
                       .server = server,
                       .dialer = dialer,
                       .serves_tls = node_.config_->listen_tls.has_value(),
                       .same_on_all_cores = first ? config.get() : nullptr});
}

}  // namespace weir::app
