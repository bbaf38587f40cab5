#include "sim/money_scenario.hpp"

#include <fmt/format.h>

#include "sim/dice.hpp"

namespace weir::sim {

using namespace std::chrono_literals;

namespace {

UpstreamPlan make_upstream(Dice& dice, std::size_t number, const Scenario& scenario, double mood) {
  UpstreamPlan plan;
  plan.name = fmt::format("u{}", number);
  plan.address = fmt::format("10.0.1.{}", number);
  if (dice.chance(mood * 0.1)) {
    plan.dialling = dice.one_of({Upset::refused, Upset::reset});
  }
  plan.upset_share = dice.chance(mood) ? dice.one_of({0.1, 0.3, 0.7}) : 0.0;
  plan.patience = scenario.timeouts;
  plan.close_after_answer = dice.one_of({0.0, 0.0, 0.3});
  plan.pace = {0us, dice.one_of<Duration>({1ms, 50ms, 300ms})};
  plan.words_max = dice.one_of<std::size_t>({1, 8, 30});
  plan.link.latency = {10us, dice.between(20us, 5ms)};
  plan.link.split = dice.one_of({0.0, 0.2});
  plan.link.reset = dice.chance(mood) ? dice.one_of({0.0, 0.02}) : 0.0;
  return plan;
}

/// Of one kind, so that the judge knows what a refusal was for.
limits::LimitSet make_limits(Dice& dice) {
  switch (dice.between(0, 5)) {
    case 0:
    case 1:
      return {.windows = {{limits::Unit::requests, static_cast<std::int64_t>(dice.between(1, 6)),
                           dice.one_of<Duration>({5s, 20s, 60s})}},
              .in_flight = 0};
    case 2:
      return {.windows = {{limits::Unit::tokens, static_cast<std::int64_t>(dice.between(120, 500)),
                           dice.one_of<Duration>({5s, 20s})}},
              .in_flight = 0};
    case 3: return {.windows = {}, .in_flight = static_cast<std::int64_t>(dice.between(1, 2))};
    default: return {};
  }
}

}  // namespace

MoneyScenario make_money_scenario(std::uint64_t seed) {
  Dice dice(seed ^ 0x3a0e7dca9b1ULL);
  MoneyScenario made;
  Scenario& scenario = made.base;
  scenario.seed = seed;
  scenario.world = {.reorder = true, .hold = 0.3, .wake_delay = {0us, 200us}, .clock_jump = 0.0};
  scenario.client_link.latency = {10us, dice.between(20us, 5ms)};
  scenario.client_link.split = dice.one_of({0.0, 0.2});
  scenario.timeouts = {.connect = 1s, .first_token = 5s, .between_events = 4s, .attempt = 8s, .total = 30s};
  scenario.retry = {
      .attempts = static_cast<int>(dice.between(1, 2)), .backoff = 200ms, .backoff_max = 2s, .stop_after = 20s};
  scenario.breaker.failure_threshold = 1000;  // here everybody is asked
  const double mood = dice.one_of({0.0, 0.5, 1.0});
  const std::size_t upstreams = dice.between(1, 3);
  std::vector<std::vector<std::string>> steps;
  for (std::size_t i = 0; i < upstreams; ++i) {
    scenario.upstreams.push_back(make_upstream(dice, i, scenario, mood));
    steps.push_back({scenario.upstreams.back().name});
  }
  scenario.models["m0"] = std::move(steps);

  const std::size_t tenants = dice.between(1, 2);
  const std::size_t callers = dice.between(1, 4);
  for (std::size_t i = 0; i < callers; ++i) {
    CallerPlan caller{.name = fmt::format("k{}", i),
                      .tenant = fmt::format("t{}", i % tenants),
                      .limits = make_limits(dice),
                      .cap = 0,
                      .output_max = dice.one_of<std::int64_t>({8, 24, 80})};
    if (dice.chance(0.7)) {
      // About what some calls may need together: they are refused for each other, and then for good.
      const std::int64_t one = 100 * input_price + caller.output_max * output_price;
      caller.cap = one + static_cast<std::int64_t>(dice.between(0, 3'000)) * one / 1'000;
    }
    made.callers.push_back(std::move(caller));
  }
  for (std::size_t i = 0; i < tenants; ++i) {
    if (dice.chance(0.4)) {
      const std::int64_t one = 100 * input_price + 80 * output_price;
      made.tenant_caps.emplace_back(fmt::format("t{}", i),
                                    one + static_cast<std::int64_t>(dice.between(0, 6'000)) * one / 1'000);
    }
  }

  std::size_t call_number = 0;
  const bool leavers = dice.chance(0.6);
  for (std::size_t i = 0; i < callers; ++i) {
    const CallerPlan& caller = made.callers[i];
    const bool alone =
        !caller.limits.windows.empty() && caller.limits.windows[0].unit == limits::Unit::requests && dice.chance(0.5);
    const std::size_t clients = alone ? 1 : dice.between(1, 4);
    for (std::size_t j = 0; j < clients; ++j) {
      ClientPlan client;
      client.dials_again = dice.one_of<Duration>({20ms, 300ms});
      client.starts_after = dice.between(0ms, dice.one_of<Duration>({0ms, 10ms, 2s}));
      client.pause = dice.one_of<Duration>({0us, 1ms, 100ms, 1s});
      client.comes_back_as_told = alone;
      for (std::size_t calls = dice.between(3, dice.one_of<std::size_t>({6, 10, 24})); calls > 0; --calls) {
        CallPlan call;
        ++call_number;
        call.id = fmt::format("call-{}", call_number);
        call.model = "m0";
        call.key = caller.key();
        call.output_max = caller.output_max;
        call.stream = dice.chance(0.6);
        if (call.stream && dice.chance(0.3)) {
          call.same_text = true;
          call.id = fmt::format("call-{}", same_text_from + call_number);
        }
        call.usage = dice.chance(0.3);
        if (leavers && dice.chance(0.25)) {
          call.leave = dice.one_of({Mischief::leave_fin, Mischief::leave_reset});
          call.leave_phase = dice.one_of({ClientPhase::sending, ClientPhase::waiting, ClientPhase::waiting,
                                          ClientPhase::receiving, ClientPhase::receiving, ClientPhase::idle});
          call.leave_after = dice.one_of<Duration>({0us, 1ms, 100ms, 3s});
          call.leave_after_words = dice.between(0, 4);
        }
        client.calls.push_back(std::move(call));
      }
      scenario.clients.push_back(std::move(client));
    }
  }

  for (std::size_t left = dice.one_of<std::size_t>({0, 0, 1, 1, 2, 3}); left > 0; --left) {
    KillPlan kill{.after = dice.between(0ms, dice.one_of<Duration>({500ms, 3s, 15s})),
                  .operation = 0,
                  .down = dice.between(0ms, dice.one_of<Duration>({50ms, 2s}))};
    if (dice.chance(0.6)) {
      kill.operation = dice.between(1, dice.one_of<std::size_t>({20, 60, 300}));
    }
    made.kills.push_back(kill);
  }
  if (made.kills.empty() && dice.chance(0.4)) {
    made.outage = OutagePlan{
        .disk = dice.chance(0.5), .after = dice.between(100ms, 2s), .lasts = dice.one_of<Duration>({500ms, 3s, 10s})};
  }
  made.dies_in_the_evening = dice.chance(0.5);
  made.turn_every = dice.one_of<Duration>({10ms, 100ms, 1s});
  made.journal_segment = dice.one_of<std::size_t>({16'384, 32'768, 65'536});
  made.sqlite = dice.chance(0.05);
  return made;
}

}  // namespace weir::sim
