#include "app/node.hpp"

#include <fmt/format.h>

#include "admin/requests.hpp"
#include "api/inference.hpp"
#include "app/version.hpp"
#include "observe/metric_names.hpp"
#include "providers/mock_provider.hpp"
#include "providers/openai_provider.hpp"

namespace weir::app {

namespace {

constexpr std::size_t body_budget_bytes = std::size_t{512} << 20;  // request bodies held at one time, over all cores

std::shared_ptr<const gateway::Snapshot> snapshot_of(const Config& config) {
  return std::make_shared<const gateway::Snapshot>(gateway::Snapshot{.models = config.models});
}

http::ServerOptions server_options(const ServerConfig& config) {
  http::ServerOptions options;
  options.head_limits.head_bytes_max = config.head_max;
  options.body_bytes_max = config.body_max;
  options.head_timeout = config.head_timeout;
  options.body_timeout = config.body_timeout;
  options.idle_timeout = config.idle_timeout;
  options.connections_max = config.worker_connections;
  return options;
}

}  // namespace

/// What belongs to one core, in the order in which it is made.
struct Node::Core {
  Core(platform::Loop& loop, Node& node)
      : gateway{.loop = loop,
                .snapshot = node.snapshot_,
                .providers = {},
                .records = node,
                .log = node.log_,
                .tees = {},
                .relay = {},
                .metrics = {}},
        router(node.registry_, gateway, {.loopback_only = std::ranges::all_of(node.config_->listen, is_loopback)}),
        server(loop, router, node.budget_, server_options(node.config_->server), on_failure(node.log_)),
        lifecycle(loop, on_failure(node.log_)) {
    for (const ProviderConfig& provider : node.config_->providers) {
      if (provider.enabled) {
        gateway.providers.emplace(provider.name, node.make_provider(loop, provider));
      }
    }
  }

  static net::TaskGroup::OnFailure on_failure(observe::Log& log) {
    return [&log](std::string_view task, const std::string& what) {
      log.message(observe::Level::error, "core", fmt::format("the task {} ended with an exception: {}", task, what));
    };
  }

  /// A copy of this core's numbers, with those that are read only now.
  [[nodiscard]] observe::MetricShard numbers() {
    observe::MetricShard shard = gateway.metrics;
    for (const auto& [name, provider] : gateway.providers) {
      provider->collect(shard);
    }
    shard.cell(observe::metric::connections, {}).add(server.load().load(std::memory_order_relaxed));
    shard.cell(observe::metric::accepted, {}).add(static_cast<double>(server.statistics().accepted));
    return shard;
  }

  gateway::Core gateway;
  api::Router router;
  http::ServerCore server;
  net::TaskGroup lifecycle;
};

Node::Node(std::vector<platform::Loop*> loops, std::shared_ptr<const Config> config, observe::Log& log)
    : config_(std::move(config)), log_(log), snapshot_(snapshot_of(*config_)), budget_(body_budget_bytes) {
  api::add_inference_endpoints(registry_);
  api::add_status_endpoints(registry_, ready_, *this);
  admin::add_request_endpoints(registry_, ring_);
  std::vector<http::ServerCore*> servers;
  for (platform::Loop* loop : loops) {
    cores_.push_back(std::make_unique<Core>(*loop, *this));
    servers.push_back(&cores_.back()->server);
  }
  acceptor_ = std::make_unique<http::Acceptor>(std::move(servers));
}

Node::~Node() = default;

std::unique_ptr<providers::Provider> Node::make_provider(platform::Loop& loop, const ProviderConfig& config) const {
  if (config.dialect == "mock") {
    return std::make_unique<providers::MockProvider>(loop, config.mock);
  }
  providers::OpenAiProvider::Options options{
      .name = config.name,
      .peer = {.host = config.base_url.host, .port = config.base_url.port},
      .host = config.base_url.host.find(':') == std::string::npos ? config.base_url.host
                                                                  : fmt::format("[{}]", config.base_url.host),
      .base_path = config.base_url.path,
      .keys = {},
      .headers = config.headers,
      .idle_max = static_cast<std::size_t>(config_->http_client.max_keepalive_connections),
      .idle_timeout = config_->http_client.keepalive_timeout};
  if (config.base_url.port != 80) {
    options.host += fmt::format(":{}", config.base_url.port);
  }
  for (const KeyConfig& key : config.keys) {
    options.keys.push_back(key.value);
  }
  return std::make_unique<providers::OpenAiProvider>(loop, std::move(options));
}

Result<void> Node::listen() {
  for (const Listen& at : config_->listen) {
    if (!at.unix_path.empty()) {
      return fail(Code::invalid_request, "listening on a Unix socket is not built yet in this version");
    }
    auto listener = cores_.front()->gateway.loop.listen({.host = at.host, .port = at.port}, *acceptor_);
    if (!listener) {
      listeners_.clear();
      return std::unexpected(listener.error());
    }
    listeners_.push_back(std::move(*listener));
  }
  ready_ = true;
  return {};
}

std::vector<std::string> Node::urls() const {
  std::vector<std::string> urls;
  for (const auto& listener : listeners_) {
    urls.push_back(fmt::format("http://{}", listener->address()));
  }
  return urls;
}

void Node::record(ledger::RecordPtr record) {
  ring_.record(record);
  log_.request(std::move(record));
}

Task<std::optional<observe::MetricShard>> Node::gather(platform::Loop& asking, platform::Until until) {
  struct Gathering {
    Gathering(platform::Loop& loop, std::size_t cores) : done(loop), missing(cores) {}
    platform::Signal done;
    std::size_t missing;
    observe::MetricShard merged;
  };
  const auto gathering = std::make_shared<Gathering>(asking, cores_.size());
  for (const auto& core : cores_) {
    core->gateway.loop.post([gathering, &core = *core, &asking] {
      asking.post([gathering, numbers = core.numbers()] {
        gathering->merged.merge(numbers);
        if (--gathering->missing == 0) {
          gathering->done.notify();
        }
      });
    });
  }
  if (co_await gathering->done.wait(until) != platform::Wake::notified) {
    co_return std::nullopt;
  }
  observe::MetricShard merged = gathering->merged;
  merged.cell(observe::metric::build_info, {version}).add();
  merged.cell(observe::metric::log_dropped, {}).add(static_cast<double>(log_.dropped()));
  co_return merged;
}

void Node::shut_down(std::chrono::milliseconds grace, std::function<void()> done) {
  ready_ = false;
  cores_.front()->gateway.loop.post([this, grace, done = std::move(done)]() mutable {
    listeners_.clear();
    platform::Loop& first = cores_.front()->gateway.loop;
    auto left = std::make_shared<std::size_t>(cores_.size());
    auto stopped = std::make_shared<std::function<void()>>([&first, left, done = std::move(done)] {
      first.post([left, done] {
        if (--*left == 0) {
          done();
        }
      });
    });
    for (const auto& core : cores_) {
      core->gateway.loop.post(
          [this, &core = *core, grace, stopped] { core.lifecycle.spawn("stop", stop_core(core, grace, stopped)); });
    }
  });
}

Task<void> Node::stop_core(Core& core, std::chrono::milliseconds grace,
                           std::shared_ptr<std::function<void()>> stopped) {
  co_await core.server.drain(core.gateway.loop.now() + grace);
  for (const auto& [name, provider] : core.gateway.providers) {
    co_await provider->close();
  }
  (*stopped)();
}

std::size_t Node::open_connections() const {
  std::size_t open = 0;
  for (const auto& core : cores_) {
    open += static_cast<std::size_t>(core->server.load().load(std::memory_order_relaxed));
  }
  return open;
}

}  // namespace weir::app
