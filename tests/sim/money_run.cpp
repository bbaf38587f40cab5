#include "sim/money_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/assert.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"
#include "sim/client.hpp"
#include "sim/gateway_under_test.hpp"
#include "sim/kept_gateway.hpp"
#include "sim/money_judge.hpp"
#include "sim/money_scenario.hpp"
#include "sim/upstream.hpp"
#include "store/sqlite_store.hpp"

namespace weir::sim {

using namespace std::chrono_literals;
using platform::SimulatedWorld;

namespace {

constexpr std::uint64_t steps_max = 5'000'000;  // far beyond what any run needs: a loop that turns without end
constexpr Duration orphans_are_over = 95s;      // the call's deadline, and what leases have beyond it

Task<void> run_client(Client& client) {
  co_await client.run();
}

std::unique_ptr<store::Store> make_store(bool sqlite) {
  if (!sqlite) {
    return store::make_memory_store();
  }
  auto opened = store::open_sqlite_store({.file = ":memory:"});
  WEIR_ASSERT(opened.has_value(), "memory takes a database");
  return std::move(*opened);
}

class MoneyRun {
 public:
  MoneyRun(std::uint64_t seed, MoneyResult& result, Story story)
      : scenario_(make_money_scenario(seed)),
        result_(result),
        world_(seed, scenario_.base.world),
        machine_{.disk = platform::SimulatedFiles(seed), .store = make_store(scenario_.sqlite), .put = {}},
        keeper_(world_.add_loop("10.0.3.0")),
        upstream_loop_(world_.add_loop("10.0.1.0")),
        client_loop_(world_.add_loop("10.0.2.0")) {
    if (story == Story::told) {
      world_.tell_story_to([this](std::string_view line) { result_.story.append(line).append("\n"); });
    }
    money_.states.count("SQLite as the store", scenario_.sqlite ? 1 : 0);
  }

  void run() {
    for (const UpstreamPlan& plan : scenario_.base.upstreams) {
      upstreams_.push_back(std::make_unique<Upstream>(world_, upstream_loop_, plan, world_.choices().next(), history_));
    }
    begin_process();
    plan_outage();
    run_clients("the day", scenario_.base.clients);
    run_until("the end of the kills", 10min, [&] { return gateway_ != nullptr && deaths_ == scenario_.kills.size(); });
    run_until("what the clients left", 20s, [] { return false; });
    look_at_what_is_held();
    run_until("the leases of the dead", orphans_are_over, [] { return false; });
    look_for_rest();

    // The next process has to know from the store what was spent.
    if (scenario_.dies_in_the_evening) {
      gateway_->kill();
    } else {
      end_process();
    }
    begin_process();
    run_until("the evening", 3s, [] { return false; });
    std::vector<ClientPlan> last;
    for (const CallerPlan& caller : scenario_.callers) {
      last.push_back(last_call_of(caller, last.size()));
    }
    run_clients("the last calls", last);
    run_until("what the last calls left", 10s, [] { return false; });
    gateway_->turn();
    look_for_rest();
    look_at_money();
    end_process();
    run_until("the end", 1h,
              [&] { return std::ranges::all_of(processes_, [](const auto& one) { return one->stopped(); }); });
    if (std::ranges::any_of(processes_, [](const auto& one) { return !one->stopped(); })) {
      history_.end_violations.push_back("a process does not come to its end");
      for (auto& process : processes_) {
        static_cast<void>(process.release());  // destroying it would hide this finding
      }
      return;
    }
    const auto left = machine_.disk.list(std::string(KeptGateway::data_dir) + "/journal");
    if (!left || !left->empty()) {
      history_.end_violations.push_back("a journal was left behind, though everything is in the store");
    }
    clients_.clear();
    upstreams_.clear();
  }

  void judge_it() {
    const auto ledger = read_ledger(*machine_.store);
    result_.violations = judge_money(scenario_, history_, money_, ledger);
    result_.violations.insert(result_.violations.end(), machine_.put.violations.begin(), machine_.put.violations.end());
    result_.violations.insert(result_.violations.end(), history_.end_violations.begin(), history_.end_violations.end());
    money_.states.count("recovered what was in the store", machine_.put.again);
    money_.states.count("the store refused records", machine_.put.refused);
    money_.states.count("the disk was full", machine_.disk.fault_counts().of(platform::Fault::disk_full));
    for (const auto& process : processes_) {
      constexpr std::uint64_t at_the_start = 4;  // one for each core, and a spare
      if (process != nullptr) {
        const std::uint64_t reused = process->segments_reused();
        money_.states.count("journal rotated", process->segments_made() + reused > at_the_start ? 1 : 0);
        money_.states.count("a file of the journal written again", reused);
      }
    }
    result_.trace_hash = world_.trace_hash();
    result_.states = money_.states;
    result_.steps = world_.steps();
    result_.calls = history_.client_calls.size();
  }

 private:
  void run_until(std::string_view what, Duration at_most, const std::function<bool()>& done) {
    const auto watching = [&] {
      look_at_caps();
      return done();
    };
    if (world_.run_until(watching, world_.now() + at_most, steps_max) == SimulatedWorld::Stopped::out_of_steps) {
      history_.end_violations.push_back(fmt::format("{}: the gateway turns without end", what));
    }
  }

  void run_clients(std::string_view what, const std::vector<ClientPlan>& plans) {
    std::vector<platform::Running> running;
    for (const ClientPlan& plan : plans) {
      const Client::Options options{
          .gateway = {GatewayUnderTest::address, GatewayUnderTest::port}, .patience = 1h, .idle = [] {}};
      clients_.push_back(std::make_unique<Client>(world_, client_loop_, plan, options, history_));
      running.emplace_back(client_loop_, run_client(*clients_.back()));
    }
    run_until(what, 3h, [&] { return std::ranges::all_of(running, [](const auto& client) { return client.done(); }); });
    if (!std::ranges::all_of(running, [](const auto& client) { return client.done(); })) {
      history_.end_violations.push_back(fmt::format("{}: a client waits for ever", what));
    }
  }

  static ClientPlan last_call_of(const CallerPlan& caller, std::size_t number) {
    constexpr std::size_t behind_all = 900;
    ClientPlan client{.starts_after = {}, .pause = {}, .calls = {}, .dials_again = 20ms};
    CallPlan call;
    call.id = fmt::format("call-{}", behind_all + number);
    call.model = "m0";
    call.key = caller.key();
    call.output_max = caller.output_max;
    call.stream = false;
    client.calls.push_back(std::move(call));
    return client;
  }

  // --- the machine

  void plan_outage() {
    if (!scenario_.outage) {
      return;
    }
    const OutagePlan& outage = *scenario_.outage;
    const auto set = [this, disk = outage.disk](bool away) {
      if (disk) {
        machine_.disk.set_capacity(away ? 0 : std::numeric_limits<std::size_t>::max());
      } else {
        machine_.put.store_is_away = away;
      }
    };
    world_.schedule(world_.now() + outage.after, keeper_, [set] { set(true); });
    world_.schedule(world_.now() + outage.after + outage.lasts, keeper_, [set] { set(false); });
  }

  // --- processes

  void begin_process() {
    const std::size_t number = processes_.size();
    const bool planned = number < scenario_.kills.size();
    const KillPlan plan = planned ? scenario_.kills[number] : KillPlan();
    processes_.push_back(
        std::make_unique<KeptGateway>(world_, scenario_, machine_, history_, money_, number, plan.operation));
    gateway_ = processes_.back().get();
    if (planned) {
      await_death(*gateway_, plan);
    }
  }

  /// Looks for it again and again, as a supervisor does.
  void await_death(KeptGateway& process, KillPlan plan) {
    const Instant latest = world_.now() + plan.after + (plan.operation == 0 ? 0s : 20s);
    watch(process, plan, latest);
  }
  void watch(KeptGateway& process, KillPlan plan, Instant latest) {
    if (!process.killed() && world_.now() >= latest) {
      process.kill();
      money_.states.count("killed at a moment");
    } else if (process.killed()) {
      money_.states.count("killed at a file or the store");
    }
    if (process.killed()) {
      gateway_ = nullptr;
      world_.schedule(world_.now() + plan.down, keeper_, [this] {
        ++deaths_;
        begin_process();
      });
      return;
    }
    world_.schedule(std::min(world_.now() + 5ms, std::max(latest, world_.now())), keeper_,
                    [this, &process, plan, latest] { watch(process, plan, latest); });
  }

  void end_process() {
    gateway_->shut_down();
    run_until("the end of a process", 1h, [&] { return gateway_->stopped(); });
    money_.states.count("ended in good order");
  }

  // --- looking

  /// Spent and held are never more than the cap, from one event to the next.
  void look_at_caps() {
    const std::size_t happened = history_.records.size() + history_.upstream_calls.size();
    if (gateway_ == nullptr || gateway_->killed() || happened == looked_at_) {
      return;
    }
    looked_at_ = happened;
    for (const ledger::Budgets::Standing& one : gateway_->standings()) {
      if (one.spent + one.held > one.cap && one.held > held_for_the_dead(one)) {
        history_.end_violations.push_back(fmt::format("{} has spent {} and holds {} picodollars, and his cap is {}",
                                                      one.id, one.spent, one.held, one.cap));
      }
      money_.states.count("caps looked at with money held", one.held > 0 ? 1 : 0);
    }
  }

  /// What the store has of attempts that were open when their process died. It may be more than is left of the cap:
  /// that an attempt had ended, and gave its hold to another call, the journal knows only with the next record.
  [[nodiscard]] std::int64_t held_for_the_dead(const ledger::Budgets::Standing& owner) const {
    std::int64_t held = 0;
    for (const LedgerRow& row : read_ledger(*machine_.store)) {
      for (const LedgerAttempt& attempt : row.attempts) {
        const bool open = pays(owner, row) && attempt.end_state == "unknown" && attempt.expires > world_.wall_now();
        held += open ? attempt.reserved.value_or(0) : 0;
      }
    }
    return held;
  }

  /// No call runs: what is held is held for those whose end nobody saw.
  void look_at_what_is_held() {
    gateway_->turn();
    for (const ledger::Budgets::Standing& one : gateway_->standings()) {
      const std::int64_t held = held_for_the_dead(one);
      money_.states.count("held for the dead", held > 0 ? 1 : 0);
      if (one.held != held) {
        history_.end_violations.push_back(fmt::format(
            "{} holds {} picodollars, and those whose end nobody saw may have cost {}", one.id, one.held, held));
      }
    }
  }

  void look_for_rest() {
    if (gateway_->leases() != 0) {
      history_.end_violations.push_back(fmt::format("{} leases are there, and no call", gateway_->leases()));
    }
    if (gateway_->limited_in_flight() != 0) {
      history_.end_violations.push_back(
          fmt::format("{} calls count as in flight, and there is none", gateway_->limited_in_flight()));
    }
    for (const ledger::Budgets::Standing& one : gateway_->standings()) {
      if (one.held != 0) {
        history_.end_violations.push_back(fmt::format("{} holds {} picodollars for nobody", one.id, one.held));
      }
    }
  }

  /// What the budgets say is what the ledger says, to the last digit, over all processes.
  void look_at_money() {
    const auto ledger = read_ledger(*machine_.store);
    for (const ledger::Budgets::Standing& one : gateway_->standings()) {
      std::int64_t charged = 0;
      for (const LedgerRow& row : ledger) {
        charged += pays(one, row) ? row.charged() : 0;
      }
      if (one.spent != charged) {
        history_.end_violations.push_back(fmt::format(
            "the budget of {} has spent {} picodollars, and the ledger says {}", one.id, one.spent, charged));
      }
    }
  }

  MoneyScenario scenario_;
  MoneyResult& result_;
  History history_;
  MoneyHistory money_;
  SimulatedWorld world_;
  Machine machine_;
  platform::SimulatedLoop& keeper_;
  platform::SimulatedLoop& upstream_loop_;
  platform::SimulatedLoop& client_loop_;
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<KeptGateway>> processes_;
  KeptGateway* gateway_ = nullptr;  // that lives
  std::size_t deaths_ = 0;          // that were planned
  std::size_t looked_at_ = 0;
};

}  // namespace

MoneyResult run_money_seed(std::uint64_t seed, Story story) {
  MoneyResult result;
  MoneyRun run(seed, result, story);
  run.run();
  run.judge_it();
  return result;
}

}  // namespace weir::sim
