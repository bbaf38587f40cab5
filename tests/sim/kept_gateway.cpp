#include "sim/kept_gateway.hpp"

#include <fmt/format.h>

#include <charconv>

#include "auth/key_rules.hpp"
#include "base/assert.hpp"
#include "sim/gateway_under_test.hpp"

namespace weir::sim {

using namespace std::chrono_literals;

/// Keeps what the process says as long as it lives; an error is a finding.
class KeptGateway::RecordingLog final : public observe::Log {
 public:
  explicit RecordingLog(KeptGateway& gateway) : gateway_(gateway) {}
  void request(std::shared_ptr<const observe::LogLine> line) override {
    if (gateway_.life_.over()) {
      return;
    }
    gateway_.note_news();
    gateway_.history_.records.push_back(std::dynamic_pointer_cast<const ledger::RequestRecord>(line));
    gateway_.history_.settled_at.push_back(gateway_.world_.now());
    gateway_.money_.process_of_record.push_back(gateway_.number_);
  }
  [[nodiscard]] std::uint64_t dropped() const override { return 0; }
  void message(observe::Level level, std::string_view component, std::string text) override {
    if (gateway_.life_.over()) {
      return;
    }
    if ((level == observe::Level::error || component == "journal") && !gateway_.scenario_.outage) {
      gateway_.history_.end_violations.push_back(fmt::format("the log says: {}: {}", component, text));
    }
    if (text.contains("are lost")) {
      gateway_.history_.end_violations.push_back(fmt::format("the log says: {}: {}", component, text));
    }
    constexpr std::string_view left = "a process that ended before left ";
    constexpr std::string_view without_end = " of them without an end";
    if (text.starts_with(left)) {
      gateway_.money_.states.count("recovered calls");
      const std::size_t end = text.find(without_end);
      const std::size_t begin = text.rfind(' ', end - 1) + 1;
      std::uint64_t unknown = 0;
      std::from_chars(text.data() + begin, text.data() + end, unknown);
      gateway_.money_.recovered_unknown += unknown;
    }
  }

 private:
  KeptGateway& gateway_;
};

class KeptGateway::WorldClock final : public platform::Clock {
 public:
  explicit WorldClock(const platform::SimulatedWorld& world) : world_(world) {}
  [[nodiscard]] Instant now() const override { return world_.now(); }
  [[nodiscard]] platform::WallTime wall_now() const override { return world_.wall_now(); }

 private:
  const platform::SimulatedWorld& world_;
};

namespace {

ledger::BudgetRules hard_budget(std::int64_t cap) {
  return {.budgets = {{.cap = cap, .period = *ledger::Period::make(ledger::PeriodLength::forever)}}};
}

std::shared_ptr<const app::Config> money_config(const MoneyScenario& scenario) {
  auto config = config_of(scenario.base, {});
  config->auth.mode = auth::Mode::required;
  for (const CallerPlan& caller : scenario.callers) {
    auth::KeyRules rules{.limits = caller.limits,
                         .budgets = caller.cap > 0 ? hard_budget(caller.cap) : ledger::BudgetRules()};
    auth::Key key;
    key.id = caller.key_id();
    key.label = caller.name;
    key.tenant = caller.tenant;
    key.rules = std::make_shared<const auth::KeyRules>(std::move(rules));
    config->auth.keys.push_back({.key = std::move(key), .value = Secret(caller.key())});
  }
  for (const auto& [tenant, cap] : scenario.tenant_caps) {
    config->allowances.tenants[tenant].budgets = hard_budget(cap);
  }
  // Never reached; every call is paid for, and what it was charged is known.
  config->allowances.global.budgets = hard_budget(metered_cap);
  config->prices = std::make_shared<const ledger::PriceBook>(
      std::vector<ledger::PriceBook::Rule>{{.pattern = "*",
                                            .rates = {.input = ledger::Money::picodollars(input_price),
                                                      .output = ledger::Money::picodollars(output_price)},
                                            .from = std::nullopt}},
      ledger::PriceBook::Sources{});
  return config;
}

}  // namespace

KeptGateway::KeptGateway(platform::SimulatedWorld& world, const MoneyScenario& scenario, Machine& machine,
                         History& history, MoneyHistory& money, std::size_t number, std::uint64_t dies_at_operation)
    : world_(world),
      scenario_(scenario),
      machine_(machine),
      history_(history),
      money_(money),
      number_(number),
      life_([this] { die(); }),
      files_(machine.disk, life_, [this] { note_news(); }),
      clock_(std::make_unique<WorldClock>(world)),
      log_(std::make_unique<RecordingLog>(*this)) {
  money_.began.push_back(world.now());
  money_.deaths.emplace_back();
  for (int i = 0; i < 3; ++i) {
    loops_.push_back(&world.add_loop(GatewayUnderTest::address));
  }
  world.network().set_link(GatewayUnderTest::address, scenario.base.client_link);
  node_ =
      std::make_unique<app::Node>(std::vector<platform::Loop*>{loops_[0], loops_[1]}, money_config(scenario), *log_);
  life_.end_at(dies_at_operation);
  app::RecordKeeping::Options options{.data_dir = data_dir,
                                      .store = {},
                                      .cores = 2,
                                      .name = fmt::format("process-{}", number),
                                      .open_store = [this]() -> Result<std::unique_ptr<store::Store>> {
                                        return std::make_unique<MortalStore>(*machine_.store, life_, machine_.put);
                                      }};
  options.store.journal_segment = scenario.journal_segment;
  auto records = app::RecordKeeping::open(files_, *clock_, *log_, options);
  if (!records) {
    WEIR_ASSERT(life_.over(), "a living process can open its records");
    return;
  }
  records_ = std::move(*records);
  node_->use_records(*records_);
  if (!life_.over()) {
    WEIR_ASSERT(node_->listen().has_value(), "the one before it is gone");
  }
  constexpr Duration at_once = 3ms;  // a thread begins with it
  turn_in(at_once);
}

KeptGateway::~KeptGateway() = default;

void KeptGateway::die() {
  money_.deaths[number_] = Death{.at = world_.now(), .records = history_.records.size()};
  if (in_recovery_ && records_ != nullptr) {
    money_.states.count("killed in recovery");
  }
  machine_.disk.kill();
  world_.network().kill(loops_);
  // What is in its memory goes the long way, unseen: nothing that it says or writes has an effect any more.
  world_.schedule(world_.now(), *loops_.front(), [this] { stop_node(); });
}

void KeptGateway::turn_in(Duration time) {
  world_.schedule(world_.now() + time, *loops_.back(), [this] {
    if (!stopping_ && !life_.over()) {
      turn();
      turn_in(scenario_.turn_every);
    }
  });
}

/// The journal's thread wakes when something was appended, and then not more often than that.
void KeptGateway::note_news() {
  if (std::exchange(journal_due_, true)) {
    return;
  }
  world_.schedule(world_.now() + 10ms, *loops_.back(), [this] {
    journal_due_ = false;
    if (!stopping_ && !life_.over() && records_ != nullptr) {
      records_->turn_journal();
    }
  });
}

void KeptGateway::turn() {
  records_->turn_journal();
  records_->turn_store();
  in_recovery_ = false;
}

void KeptGateway::shut_down() {
  stop_node();
}

void KeptGateway::stop_node() {
  if (std::exchange(stopping_, true)) {
    return;
  }
  node_->shut_down({.grace = life_.over() ? 0ms : std::chrono::milliseconds(5s)}, [this] {
    if (records_ != nullptr) {
      records_->stop();
    }
    stopped_ = true;
  });
}

std::vector<ledger::Budgets::Standing> KeptGateway::standings() const {
  constexpr std::size_t most = 100;
  return node_->budgets().standings(world_.wall_now(), most);
}

}  // namespace weir::sim
