#include "app/node.hpp"

#include <fmt/format.h>

#include "admin/audit.hpp"
#include "admin/breakers.hpp"
#include "admin/budgets.hpp"
#include "admin/keys.hpp"
#include "admin/live.hpp"
#include "admin/requests.hpp"
#include "admin/tenants.hpp"
#include "admin/ui.hpp"
#include "admin/usage.hpp"
#include "api/health.hpp"
#include "api/inference.hpp"
#include "api/metrics_page.hpp"
#include "api/models.hpp"
#include "api/openapi.hpp"
#include "app/make_provider.hpp"
#include "app/new_budgets.hpp"
#include "app/node_core.hpp"
#include "app/record_keeping.hpp"
#include "app/version.hpp"
#include "auth/key_rules.hpp"
#include "base/assert.hpp"
#include "platform/process.hpp"
#include "platform/random.hpp"

namespace weir::app {

namespace {

constexpr std::size_t body_budget_bytes = std::size_t{512}
                                          << 20;  // request bodies and held replies at one time, over all cores
constexpr std::size_t calls_in_memory_alone = 1000;
constexpr std::size_t calls_beside_a_store = 100;  // for those who watch; the store has all

std::shared_ptr<const gateway::Allowances> shared_allowances(const Config& config) {
  return std::make_shared<const gateway::Allowances>(config.allowances);
}

Gates::Keys keys_of(const auth::StoredKeys& stored) {
  Gates::Keys keys;
  keys.reserve(stored.entries.size());
  for (const auth::KeyTable::Entry& entry : stored.entries) {
    keys.push_back(entry.key);
  }
  return keys;
}

void warn_of_misplaced(const AllowanceTable::Change& change, observe::Log& log) {
  if (change.before == change.now) {
    return;
  }
  const MisplacedTenants misplaced = misplaced_tenants(*change.now);
  for (const auto* tenants : {&misplaced.orphans, &misplaced.too_deep}) {
    for (const std::string& what : *tenants) {
      log.message(observe::Level::warn, "limits", fmt::format("a tenant has no good place in their tree: {}", what));
    }
  }
}

}  // namespace

Node::Node(std::vector<platform::Loop*> loops, std::shared_ptr<const Config> config, observe::Log& log)
    : config_(std::move(config)),
      log_(log),
      ring_(calls_in_memory_alone),
      budget_(body_budget_bytes),
      body_shares_(body_budget_bytes / 2, platform::entropy()),
      allowances_(shared_allowances(*config_)),
      gates_(config_->auth, std::ranges::all_of(config_->listen, is_loopback)) {
  api::add_inference_endpoints(registry_);
  api::add_model_endpoints(registry_, directory_);
  api::add_status_endpoints(registry_, ready_, *this);
  api::add_metrics_endpoint(registry_, *this, version);
  api::add_health_endpoints(registry_, ready_, *this, targets_, reachability_, version);
  admin::add_request_endpoints(registry_, ring_, live_, store_);
  admin::add_usage_endpoint(registry_, ring_, store_);
  admin::add_key_endpoints(registry_, identities_);
  admin::add_tenant_endpoints(registry_, identities_);
  admin::add_audit_endpoint(registry_, identities_);
  admin::add_budget_endpoint(registry_);
  admin::add_breaker_endpoints(registry_, targets_, identities_);
  admin::add_reload_endpoint(registry_, reloading_, identities_);
  admin::add_live_endpoint(registry_, live_, ring_);
  admin::add_ui_endpoints(registry_);
  api::add_openapi_endpoint(registry_, version);
  key_pools_.prepare(*config_);
  key_pools_.use(*config_);
  if (auto tls = read_tls(*config_, tls_, ticket_keys_, log_)) {
    tls_ = std::move(*tls);
  } else {
    WEIR_ASSERT(false, "the configuration was checked");
  }
  on_reload([this](const Config& config) -> Result<std::function<void()>> {
    if (auto fits = gates_.check(config.auth); !fits) {
      return std::unexpected(std::move(fits.error()));
    }
    if (auto fits = allowances_.check(config.allowances); !fits) {
      return std::unexpected(std::move(fits.error()));
    }
    return [] { /* reload() makes them, once every part has agreed */ };
  });
  on_reload([this](const Config& config) -> Result<std::function<void()>> {
    auto tls = read_tls(config, tls_, ticket_keys_, log_);
    if (!tls) {
      return std::unexpected(std::move(tls.error()));
    }
    return [this, next = std::move(*tls)] {
      tls_ = next;
      if (tls_.server.identity != nullptr && tls_acceptor_ != nullptr) {
        for (const auto& core : cores_) {
          core->gateway.loop.post([&server = core->server, options = tls_.server] { server.use_tls(options); });
        }
      }
    };
  });
  on_reload([this](const Config& config) -> Result<std::function<void()>> {
    key_pools_.prepare(config);
    return [this, next = std::make_shared<const Config>(config)] { key_pools_.use(*next); };
  });
  std::vector<http::ServerCore*> servers;
  const routing::ModelTable models = bound_models(*config_);
  for (platform::Loop* loop : loops) {
    cores_.push_back(std::make_unique<Core>(*loop, *this, models));
    servers.push_back(&cores_.back()->server);
    live_.add(*loop, cores_.back()->gateway.live);
  }
  checks_ = std::make_unique<ReachabilityChecks>(cores_.front()->gateway.loop, reachability_, log_);
  probes_ = std::make_unique<Probes>(cores_.front()->gateway, reachability_);
  if (config_->listen_tls) {
    for (http::ServerCore* server : servers) {
      server->use_tls(tls_.server);
    }
    tls_acceptor_ = std::make_unique<http::Acceptor>(servers, http::Transport::tls);
  }
  acceptor_ = std::make_unique<http::Acceptor>(std::move(servers));
  peers_.limit(config_->server.connections_per_ip);
  reloads_.note_loaded(cores_.front()->gateway.loop.wall_now());
}

Node::~Node() = default;

/// From now on, the providers of `config` are checked and probed as it says. On the first loop, or before it runs.
void Node::watch_providers(const Config& config) {
  ReachabilityChecks::Plan plan{.interval = config.health.interval, .timeout = config.health.timeout, .providers = {}};
  for (const ProviderConfig& provider : config.providers) {
    if (config.health.check == HealthConfig::Check::none || !provider.enabled || provider.dialect == "mock") {
      continue;
    }
    auto connect = connector_options(provider, tls_, cores_.front()->dialer);
    if (config.health.check == HealthConfig::Check::connect) {
      connect.tls.reset();
    }
    plan.providers.push_back({.name = provider.name, .connect = std::move(connect)});
  }
  checks_->use(std::move(plan));
  Probes::Plan probing{.per_day = config.health.probes_per_day, .providers = {}};
  for (const ProviderConfig& provider : config.providers) {
    if (config.health.probe && provider.enabled && provider.dialect != "mock") {
      probing.providers.insert(provider.name);
    }
  }
  probes_->use(std::move(probing));
}

Result<void> Node::listen() {
  for (const Listen& at : config_->listen) {
    const bool tls = tls_acceptor_ != nullptr && at.unix_path.empty();
    auto listener = cores_.front()->gateway.loop.listen({.host = at.host, .port = at.port, .unix_path = at.unix_path},
                                                        tls ? *tls_acceptor_ : *acceptor_,
                                                        {.unix_mode = config_->server.unix_socket_mode});
    if (!listener) {
      listeners_.clear();
      urls_.clear();
      return std::unexpected(listener.error());
    }
    urls_.push_back(at.unix_path.empty() ? fmt::format("{}://{}", tls ? "https" : "http", (*listener)->address())
                                         : (*listener)->address());
    listeners_.push_back(std::move(*listener));
  }
  watch_providers(*config_);
  ready_ = true;
  return {};
}

std::vector<std::string> Node::urls() const {
  return urls_;
}

Result<void> Node::reload(std::shared_ptr<const Config> config, std::function<void()> done) {
  std::vector<std::function<void()>> commits;
  for (const ReloadHook& hook : reload_hooks_) {
    auto commit = hook(*config);
    if (!commit) {
      count_rejected_reload();
      return std::unexpected(std::move(commit.error()));
    }
    commits.push_back(std::move(*commit));
  }
  // One table for each core: no core waits for another's memory, and none copies it on its own time.
  const auto keys_before = gates_.configured();
  gates_.use(config->auth);
  const routing::ModelTable models = bound_models(*config);
  const AllowanceTable::Change change = allowances_.use(shared_allowances(*config));
  expect_budgets(config->auth, *change.now);
  budgets_.count_anew(new_budgets(*change.before, *change.now));
  budgets_.count_anew(new_budgets(*keys_before, *gates_.configured(), config->allowances.per_key.budgets));
  warn_of_misplaced(change, log_);
  std::vector<std::shared_ptr<gateway::Snapshot>> snapshots;
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    snapshots.push_back(
        std::make_shared<gateway::Snapshot>(gateway::Snapshot{.models = models, .allowances = {}, .providers = {}}));
  }
  platform::Loop& first = cores_.front()->gateway.loop;
  first.post([this, &first, config = std::move(config), commits = std::move(commits), snapshots = std::move(snapshots),
              done = std::move(done)]() mutable {
    for (const auto& commit : commits) {
      commit();
    }
    peers_.limit(config->server.connections_per_ip);
    watch_providers(*config);
    auto missing = std::make_shared<std::size_t>(cores_.size());
    auto arrived = std::make_shared<std::function<void()>>([this, &first, missing, done = std::move(done)] {
      if (--*missing == 0) {
        directory_.forget();
        reloads_.count_applied();
        reloads_.note_loaded(first.wall_now());
        done();
      }
    });
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      cores_[i]->gateway.loop.post([&first, &core = *cores_[i], config, snapshot = std::move(snapshots[i]), arrived] {
        core.use(config, snapshot);
        first.post([arrived] { (*arrived)(); });
      });
    }
  });
  return {};
}

routing::ModelTable Node::bound_models(const Config& config) {
  std::map<std::string, std::string, std::less<>> addresses;
  for (const ProviderConfig& provider : config.providers) {
    const std::string proxy = provider.proxy ? fmt::format("{}:{}", provider.proxy->host, provider.proxy->port) : "";
    addresses.emplace(provider.name, fmt::format("{} {}:{}{} {}", provider.dialect, provider.base_url.host,
                                                 provider.base_url.port, provider.base_url.path, proxy));
  }
  routing::ModelTable models = config.models;
  targets_.bind(models, addresses);
  return models;
}

void Node::count_rejected_reload() {
  reloads_.count_rejected();
}

void Node::expect_budgets(const AuthConfig& auth, const gateway::Allowances& allowances) {
  for (const CallerKey& caller : auth.keys) {
    if (caller.key.rules != nullptr) {
      budgets_.expect(caller.key.rules->budgets);
    }
  }
  for (const gateway::Allowance* one :
       {&allowances.global, &allowances.per_key, &allowances.per_user, &allowances.per_tenant}) {
    budgets_.expect(one->budgets);
  }
  for (const auto& [name, model] : allowances.by_model) {
    budgets_.expect(model.budgets);
  }
  for (const auto& [name, tenant] : allowances.tenants) {
    budgets_.expect(tenant.budgets);
  }
}

void Node::use_records(RecordKeeping& records) {
  records_ = &records;
  ring_.set_capacity(calls_beside_a_store);
  store_ = &records.worker();
  records.count_for(budgets_, [this](const std::string& tenant) { return allowances_.above(tenant); });
  expect_budgets(config_->auth, *allowances_.configured());
  budgets_.await_recount();
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    cores_[i]->gateway.journal = &records.journal().core(i);
  }
}

void Node::expect_keys(std::shared_ptr<const auth::KeyHasher> hasher, auth::KeyTable::StoreAnswers answers) {
  gates_.expect_store(config_->auth, std::move(hasher), std::move(answers));
  for (const auto& core : cores_) {
    core->use_gate();
  }
}

void Node::judge_by(std::shared_ptr<const IdentityRows> rows, std::function<void()> done) {
  for (const std::string& what : rows->keys.unusable) {
    log_.message(observe::Level::error, "auth", fmt::format("a key of the store opens nothing: {}", what));
  }
  for (const auth::KeyTable::Entry& entry : rows->keys.entries) {
    if (entry.key->rules != nullptr) {
      budgets_.expect(entry.key->rules->budgets);
    }
  }
  StoredTenants tenants = read_stored_tenants(rows->tenants);
  for (const std::string& what : tenants.unusable) {
    log_.message(observe::Level::error, "limits",
                 fmt::format("a tenant of the store is not limited as its row says: {}", what));
  }
  const AllowanceTable::Change change = allowances_.use_stored(std::move(tenants));
  expect_budgets({}, *change.now);
  budgets_.count_anew(new_budgets(*change.before, *change.now));
  warn_of_misplaced(change, log_);
  const auth::StoredKeys before = gates_.use_stored(rows->keys);
  budgets_.count_anew(new_budgets(keys_of(before), keys_of(rows->keys), change.now->per_key.budgets));
  const auto missing = std::make_shared<std::atomic<std::size_t>>(cores_.size());
  const auto all = std::make_shared<const std::function<void()>>(std::move(done));
  for (const auto& core : cores_) {
    core->gateway.loop.post([&core = *core, missing, all] {
      core.use_gate();
      core.use_allowances();
      if (missing->fetch_sub(1) == 1) {
        (*all)();
      }
    });
  }
}

void Node::use_counting(tokens::Counting& counting) {
  for (const auto& core : cores_) {
    core->gateway.counting = &counting;
  }
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
      asking.post([gathering, numbers = core.numbers()]() mutable {
        gathering->merged.merge(std::move(numbers));
        if (--gathering->missing == 0) {
          gathering->done.notify();
        }
      });
    });
  }
  if (co_await gathering->done.wait(until) != platform::Wake::notified) {
    co_return std::nullopt;
  }
  observe::MetricShard merged = std::move(gathering->merged);
  add_numbers_of_all({.reloads = reloads_,
                      .key_pools = key_pools_,
                      .reachability = reachability_,
                      .targets = targets_,
                      .bodies = budget_,
                      .bodies_bytes_max = body_budget_bytes,
                      .log = log_,
                      .records = records_,
                      .gates = gates_,
                      .limiter = limiter_,
                      .budgets = budgets_,
                      .live = live_},
                     asking, merged);
  co_return merged;
}

void Node::give_memory_back() {
  for (const auto& core : cores_) {
    core->gateway.loop.post([] { platform::give_end_of_heap_back(); });
  }
  if (store_ != nullptr) {
    static_cast<void>(store_->post([](const auto&) { platform::give_end_of_heap_back(); }));
  }
  platform::give_freed_memory_back();
}

std::vector<platform::Successor::Socket> Node::listening_sockets() const {
  std::vector<platform::Successor::Socket> sockets;
  for (const auto& listener : listeners_) {
    sockets.push_back({.descriptor = listener->descriptor(), .made_by_weir = listener->made_by_weir()});
  }
  return sockets;
}

void Node::shut_down(ShutDown how, std::function<void()> done) {
  ready_ = false;
  Core& first = *cores_.front();
  first.gateway.loop.post([this, &first, how, done = std::move(done)]() mutable {
    first.lifecycle.spawn("stop", stop_all(how, std::move(done)));
  });
}

/// On the first loop.
Task<void> Node::stop_all(ShutDown how, std::function<void()> done) {
  platform::Loop& first = cores_.front()->gateway.loop;
  for (const auto& core : cores_) {
    core->gateway.loop.post([&server = core->server] { server.start_draining(); });
  }
  co_await checks_->close();
  co_await probes_->close();
  co_await platform::sleep(first, {first.now() + how.accept_for});
  for (const auto& listener : listeners_) {
    listener->remove_file(!how.handed_over);
  }
  listeners_.clear();
  // An accept that had succeeded just before hands its connection over in a turn of its own, which comes first.
  co_await platform::sleep(first, {first.now()});
  auto left = std::make_shared<std::size_t>(cores_.size());
  auto stopped = std::make_shared<std::function<void()>>([&first, left, done = std::move(done)] {
    first.post([left, done] {
      if (--*left == 0) {
        done();
      }
    });
  });
  for (const auto& core : cores_) {
    core->gateway.loop.post([this, &core = *core, grace = how.grace, stopped] {
      core.lifecycle.spawn("stop", stop_core(core, grace, stopped));
    });
  }
}

Task<void> Node::stop_core(Core& core, std::chrono::milliseconds grace,
                           std::shared_ptr<std::function<void()>> stopped) {
  core.gateway.live.close();  // who watches would else be waited for
  co_await core.server.drain(core.gateway.loop.now() + grace);
  core.stopped = true;
  core.gateway.background.cancel();
  co_await core.gateway.background.join(platform::never);
  core.gateway.snapshot.reset();
  co_await core.retiring.join(platform::never);
  co_await core.dialer.close();
  (*stopped)();
}

int Node::calls_at_targets() const {
  int calls = 0;
  for (const auto& target : targets_.all()) {
    calls += target->in_flight();
  }
  return calls;
}

std::size_t Node::open_connections() const {
  std::size_t open = 0;
  for (const auto& core : cores_) {
    open += static_cast<std::size_t>(core->server.load().load(std::memory_order_relaxed));
  }
  return open;
}

}  // namespace weir::app
