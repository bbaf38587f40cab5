#include "sim/run.hpp"

#include <fmt/format.h>

#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"
#include "sim/client.hpp"
#include "sim/gateway_under_test.hpp"
#include "sim/judge.hpp"
#include "sim/scenario.hpp"
#include "sim/upstream.hpp"

namespace weir::sim {

using namespace std::chrono_literals;
using platform::SimulatedWorld;

namespace {

constexpr Duration settling = 500ms;  // the gateway may listen to an upstream for a moment after its caller has all
constexpr std::uint64_t steps_max = 5'000'000;  // far beyond what any run needs: a loop that turns without end

Task<void> run_client(Client& client) {
  co_await client.run();
}

class Run {
 public:
  explicit Run(std::uint64_t seed, RunResult& result, Story story)
      : scenario_(make_scenario(seed)), result_(result), world_(seed, scenario_.world) {
    if (story == Story::told) {
      world_.tell_story_to([this](std::string_view line) { result_.story.append(line).append("\n"); });
    }
  }

  void run() {
    auto gateway = std::make_unique<GatewayUnderTest>(world_, scenario_, history_);
    platform::SimulatedLoop& upstream_loop = world_.add_loop("10.0.1.0");
    platform::SimulatedLoop& client_loop = world_.add_loop("10.0.2.0");
    std::vector<std::unique_ptr<Upstream>> upstreams;
    for (const UpstreamPlan& plan : scenario_.upstreams) {
      upstreams.push_back(std::make_unique<Upstream>(world_, upstream_loop, plan, world_.choices().next(), history_));
    }
    std::vector<std::unique_ptr<Client>> clients;
    std::vector<platform::Running> running;
    for (const ClientPlan& plan : scenario_.clients) {
      const Client::Options options{.gateway = {GatewayUnderTest::address, GatewayUnderTest::port},
                                    .patience = 1h,
                                    .idle = [&] { look_at_memory(gateway->budget_used()); }};
      clients.push_back(std::make_unique<Client>(world_, client_loop, plan, options, history_));
      running.emplace_back(client_loop, run_client(*clients.back()));
    }
    for (const ReloadPlan& plan : scenario_.reloads) {
      world_.schedule(world_.now() + plan.after, client_loop, [&] {
        if (!gateway->stopping()) {
          const bool during_calls = std::ranges::any_of(
              history_.client_calls, [](const ClientCall& call) { return call.sent && !call.ended_at && !call.left; });
          gateway->reload(plan.replaced);
          history_.reached.count_reload(during_calls && !plan.replaced.empty());
        }
      });
    }
    if (scenario_.drain_after) {
      world_.schedule(world_.now() + *scenario_.drain_after, client_loop, [&] {
        history_.drain_began = world_.now();
        gateway->shut_down(scenario_.drain_time);
      });
    }
    run_until("the calls", 10h,
              [&] { return std::ranges::all_of(running, [](const auto& client) { return client.done(); }); });

    // What the clients left behind must be over soon, though the news of their leaving may take a while.
    run_until("what the clients left", 10s, [] { return false; });
    look_at_memory(gateway->budget_used());
    if (!gateway->stopping()) {
      if (gateway->connections() != 0) {
        history_.end_violations.push_back(
            fmt::format("{} client connections are open, and no client is there", gateway->connections()));
      }
      if (gateway->calls_at_targets() != 0) {
        history_.end_violations.push_back(
            fmt::format("{} places at targets were not given back", gateway->calls_at_targets()));
      }
      look_at_leases(*gateway);
      gateway->shut_down(5s);
    }
    run_until("the end", 1h, [&] { return gateway->stopped(); });
    if (!gateway->stopped()) {
      history_.end_violations.push_back("the gateway does not stop");
      static_cast<void>(
          gateway.release());  // what still runs in it must not be destroyed: that would hide this finding
      return;
    }
    if (gateway->upstream_connections() != 0) {
      history_.end_violations.push_back(
          fmt::format("{} places for connections to providers were not given back", gateway->upstream_connections()));
    }
    look_at_leases(*gateway);
    look_at_money(*gateway);
    if (gateway->budget_used() != 0) {
      history_.end_violations.push_back(
          fmt::format("{} bytes of the memory budget were not given back", gateway->budget_used()));
    }
    upstreams.clear();
    running.clear();
    if (world_.network().open_streams() != 0) {
      history_.end_violations.push_back(
          fmt::format("the gateway holds {} connections after its end", world_.network().open_streams()));
    }
    gateway.reset();
  }

  void judge_it() {
    result_.violations = judge(scenario_, history_);
    for (std::size_t kind = 0; kind < static_cast<std::size_t>(platform::Fault::kinds); ++kind) {
      const auto fault = static_cast<platform::Fault>(kind);
      if (world_.fault_counts().of(fault) > 0) {
        history_.reached.count_network(to_string(fault), world_.fault_counts().of(fault));
      }
    }
    count_dialling();
    result_.trace_hash = world_.trace_hash();
    result_.reached = history_.reached;
    result_.steps = world_.steps();
    result_.calls = history_.client_calls.size();
  }

 private:
  void run_until(std::string_view what, Duration at_most, const std::function<bool()>& done) {
    if (world_.run_until(done, world_.now() + at_most, steps_max) == SimulatedWorld::Stopped::out_of_steps) {
      history_.end_violations.push_back(fmt::format("{}: the gateway turns without end", what));
    }
  }

  /// Nobody calls any more: nothing of limits and budgets is held.
  void look_at_leases(const GatewayUnderTest& gateway) {
    const auto [spent, held] = gateway.spent_and_held();
    if (gateway.leases() != 0 || held != 0) {
      history_.end_violations.push_back(
          fmt::format("{} leases of budgets hold {} picodollars, and no call is there", gateway.leases(), held));
    }
    if (gateway.limited_in_flight() != 0) {
      history_.end_violations.push_back(
          fmt::format("{} calls count as in flight, and no call is there", gateway.limited_in_flight()));
    }
  }

  /// What the budget says is what the rows of the attempts say, to the last digit.
  void look_at_money(const GatewayUnderTest& gateway) {
    std::int64_t charged = 0;
    for (const auto& record : history_.records) {
      for (const auto& attempt : record->attempts) {
        if (attempt.reserved && attempt.reserved->charged) {
          charged += attempt.reserved->charged->in_picodollars();
        }
      }
    }
    if (const std::int64_t spent = gateway.spent_and_held().first; spent != charged) {
      history_.end_violations.push_back(
          fmt::format("the budget has spent {} picodollars, and the attempts were charged {}", spent, charged));
    }
  }

  /// The gateway may hold the bodies of requests that it has not answered and of answers to them, and nothing for those
  /// who are merely there.
  void look_at_memory(std::size_t used) {
    constexpr std::size_t kept_text_min = 4096;
    std::size_t allowed = 0;
    bool somebody_idle = false;
    for (const ClientCall& call : history_.client_calls) {
      if (call.link->closed[platform::SimulatedConnection::accepting]) {
        continue;
      }
      const auto connection = call.headers.find("connection");
      const bool kept = connection == call.headers.end() || connection->second != "close";
      if (call.ended_at && kept && world_.now() >= *call.ended_at + settling) {
        somebody_idle = true;
      } else {
        allowed += call.body_bytes;
        // And what came of an answer before its commit; of a stream also its text, charged in doubling steps, for the
        // case that another answer has to go on with it.
        allowed += call.plan.stream ? kept_text_min : 0;
        for (const UpstreamCall& upstream : history_.upstream_calls) {
          if (upstream.call == call.plan.id) {
            allowed += upstream.body.size();
            for (const std::string& event : upstream.events) {
              allowed += 2 * event.size() + 100;
            }
          }
        }
      }
    }
    if (somebody_idle) {
      history_.reached.count_idle_memory();
    }
    if (used > allowed) {
      history_.end_violations.push_back(
          fmt::format("{} bytes of the memory budget are used, and the calls under way have {}", used, allowed));
    }
  }

  /// Upstreams that cannot be dialled count once for each attempt on them.
  void count_dialling() {
    for (const UpstreamPlan& plan : scenario_.upstreams) {
      if (plan.dialling != Upset::refused && plan.dialling != Upset::unreachable &&
          plan.dialling != Upset::silent_dial) {
        continue;
      }
      for (const auto& record : history_.records) {
        for (const auto& attempt : record->attempts) {
          if (attempt.target.starts_with(plan.name + "/")) {
            history_.reached.count(plan.dialling, Phase::dialling);
          }
        }
      }
    }
  }

  Scenario scenario_;
  RunResult& result_;
  History history_;
  SimulatedWorld world_;
};

}  // namespace

RunResult run_seed(std::uint64_t seed, Story story) {
  RunResult result;
  Run run(seed, result, story);
  run.run();
  run.judge_it();
  return result;
}

}  // namespace weir::sim
