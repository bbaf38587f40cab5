#include "sim/gateway_under_test.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace weir::sim {

/// Keeps the records of the calls; an error in the log is a finding.
class GatewayUnderTest::RecordingLog final : public observe::Log {
 public:
  RecordingLog(const platform::SimulatedWorld& world, History& history) : world_(world), history_(history) {}
  void request(std::shared_ptr<const observe::LogLine> line) override {
    history_.records.push_back(std::dynamic_pointer_cast<const ledger::RequestRecord>(line));
    history_.settled_at.push_back(world_.now());
  }
  [[nodiscard]] std::uint64_t dropped() const override { return 0; }
  void message(observe::Level level, std::string_view component, std::string text) override {
    if (level == observe::Level::error) {
      history_.end_violations.push_back(fmt::format("the log says an error: {}: {}", component, text));
    }
    constexpr std::string_view opened = "the circuit breaker of ";
    if (text.starts_with(opened) && text.contains(" opened: ")) {
      history_.openings.push_back(
          {.provider = text.substr(opened.size(), text.find('/') - opened.size()), .at = world_.now()});
    }
  }

 private:
  const platform::SimulatedWorld& world_;
  History& history_;
};

namespace {

int weight_in(const Scenario& scenario, const std::string& provider) {
  const auto found = scenario.weights.find(provider);
  return found == scenario.weights.end() ? 1 : found->second;
}

routing::ModelTable models_of(const Scenario& scenario) {
  routing::ModelTable table;
  for (const auto& [name, steps] : scenario.models) {
    routing::ModelPolicy policy{.name = name, .steps = {}, .timeouts = scenario.timeouts, .retry = scenario.retry};
    for (const auto& members : steps) {
      routing::Step step;
      for (const std::string& provider : members) {
        step.any_of.push_back({.provider = provider,
                               .model = provider + "-model",
                               .weight = weight_in(scenario, provider),
                               .timeouts = scenario.timeouts,
                               .retry = scenario.retry,
                               .off = {},
                               .breaker = scenario.breaker,
                               .max_in_flight = scenario.max_in_flight});
      }
      policy.steps.push_back(std::move(step));
    }
    table.exact.emplace(name, std::move(policy));
  }
  return table;
}

}  // namespace

std::shared_ptr<app::Config> config_of(const Scenario& scenario, const std::map<std::string, int>& generations) {
  auto config = std::make_shared<app::Config>();
  config->auth.mode = auth::Mode::optional;  // it listens beyond loopback, and the clients send no key
  config->listen = {{.host = GatewayUnderTest::address, .port = GatewayUnderTest::port, .unix_path = {}}};
  for (const UpstreamPlan& upstream : scenario.upstreams) {
    app::ProviderConfig provider;
    provider.name = upstream.name;
    provider.dialect = "openai";
    provider.breaker = scenario.breaker;
    provider.base_url.host = upstream.name + ".test";
    provider.base_url.path = "/v1";
    for (std::size_t i = 0; i < upstream.keys.size(); ++i) {
      provider.keys.push_back({.name = fmt::format("key-{}", i + 1), .value = Secret(key_value(upstream.name, i))});
    }
    if (const auto generation = generations.find(upstream.name); generation != generations.end()) {
      provider.headers.emplace_back("x-generation", std::to_string(generation->second));
    }
    config->providers.push_back(std::move(provider));
  }
  config->http_client.max_connections = scenario.upstream_connections;
  config->models = models_of(scenario);
  config->timeouts = scenario.timeouts;
  config->retry = scenario.retry;
  if (scenario.metered) {
    gateway::Allowance& all = config->allowances.global;
    all.limits = {.windows = {{limits::Unit::requests, 1'000'000, std::chrono::hours(1)},
                              {limits::Unit::tokens, 1'000'000'000'000, std::chrono::hours(1)}},
                  .in_flight = 100'000};
    all.budgets.budgets = {{.cap = metered_cap, .period = *ledger::Period::make(ledger::PeriodLength::forever)}};
    config->prices = std::make_shared<const ledger::PriceBook>(
        std::vector<ledger::PriceBook::Rule>{{.pattern = "*",
                                              .rates = {.input = ledger::Money::picodollars(input_price),
                                                        .output = ledger::Money::picodollars(output_price)},
                                              .from = std::nullopt}},
        ledger::PriceBook::Sources{});
  }
  config->keep_alive = {.after = scenario.keep_alive_after, .every = scenario.keep_alive_every};
  return config;
}

GatewayUnderTest::GatewayUnderTest(platform::SimulatedWorld& world, const Scenario& scenario, History& history)
    : scenario_(scenario), log_(std::make_unique<RecordingLog>(world, history)) {
  std::vector<platform::Loop*> loops = {&world.add_loop(address), &world.add_loop(address)};
  world.network().set_link(address, scenario.client_link);
  node_ = std::make_unique<app::Node>(std::move(loops), config_of(scenario, {}), *log_);
  WEIR_ASSERT(node_->listen().has_value(), "the world has nothing else at this address");
}

GatewayUnderTest::~GatewayUnderTest() = default;

std::pair<std::int64_t, std::int64_t> GatewayUnderTest::spent_and_held() const {
  const auto standings = node_->budgets().standings(platform::WallTime{}, 1);
  return standings.empty() ? std::pair<std::int64_t, std::int64_t>{} : std::pair{standings[0].spent, standings[0].held};
}

void GatewayUnderTest::reload(const std::vector<std::string>& replaced) {
  for (const std::string& name : replaced) {
    ++generations_[name];
  }
  const auto accepted = node_->reload(config_of(scenario_, generations_), [this] { ++reloads_; });
  WEIR_ASSERT(accepted.has_value(), "nothing here refuses a configuration");
}

void GatewayUnderTest::shut_down(Duration grace) {
  stopping_ = true;
  node_->shut_down({.grace = std::chrono::duration_cast<std::chrono::milliseconds>(grace)},
                   [this] { stopped_ = true; });
}

}  // namespace weir::sim
