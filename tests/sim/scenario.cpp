#include "sim/scenario.hpp"

#include <fmt/format.h>

#include "sim/dice.hpp"

namespace weir::sim {

using namespace std::chrono_literals;

namespace {

platform::LinkFaults rough_link(Dice& dice) {
  platform::LinkFaults link;
  link.latency = {10us, dice.between(20us, 20ms)};
  link.capacity = {dice.between(1, 4) == 1 ? std::size_t{600} : std::size_t{20'000}, 100'000};
  link.partial_read = dice.one_of({0.0, 0.1, 0.5});
  link.partial_write = dice.one_of({0.0, 0.1, 0.5});
  link.split = dice.one_of({0.0, 0.1, 0.5});
  link.spurious_wake = dice.one_of({0.0, 0.3});
  link.late_close = dice.one_of({0.0, 0.3});
  link.late_close_by = {1ms, 400ms};
  link.reset_discards = dice.one_of({0.0, 0.5, 1.0});
  return link;
}

void add_losses(Dice& dice, platform::LinkFaults& link) {
  link.reset = dice.one_of({0.0, 0.01, 0.03});
  link.stall = dice.one_of({0.0, 0.01, 0.05});
  link.stall_for = {50ms, 3s};
  link.stall_for_ever = dice.one_of({0.0, 0.0, 0.01});
}

UpstreamPlan make_upstream(Dice& dice, std::size_t number, const Scenario& scenario, double mood) {
  UpstreamPlan plan;
  plan.name = fmt::format("u{}", number);
  plan.address = fmt::format("10.0.1.{}", number);
  if (dice.chance(mood * 0.3)) {
    plan.dialling = dice.one_of({Upset::refused, Upset::unreachable, Upset::silent_dial, Upset::reset, Upset::fin});
  }
  if (dice.chance(0.35)) {
    plan.keys.clear();
    for (std::size_t left = dice.between(2, 3); left > 0; --left) {
      plan.keys.push_back(dice.chance(0.6) ? KeyStanding::good
                                           : dice.one_of({KeyStanding::refused, KeyStanding::spent}));
    }
  }
  plan.upset_share = dice.chance(mood) ? dice.one_of({0.3, 0.7, 1.0}) : 0.0;
  plan.only_status = dice.chance(0.25);
  plan.only_slow = !plan.only_status && dice.chance(0.15);
  plan.patience = scenario.timeouts;
  plan.close_after_answer = dice.one_of({0.0, 0.3, 1.0});
  // A drain must find streams that are open.
  plan.pace = {0us, scenario.drain_after ? dice.one_of<Duration>({1ms, 50ms, 400ms, 400ms})
                                         : dice.one_of<Duration>({0us, 1ms, 50ms, 400ms})};
  plan.words_max =
      scenario.drain_after ? dice.one_of<std::size_t>({3, 30, 30, 100}) : dice.one_of<std::size_t>({1, 3, 8, 30});
  plan.filler_bytes_max = dice.one_of<std::size_t>({0, 0, 100, 3000});
  if (scenario.narrow_drain) {
    plan.pace = {0us, 400ms};
    plan.words_max = 100;
    plan.filler_bytes_max = 0;
  }
  if (!scenario.quiet_network) {
    plan.link = rough_link(dice);
    if (dice.chance(0.4)) {
      add_losses(dice, plan.link);
    }
  }
  return plan;
}

CallPlan make_call(Dice& dice, const Scenario& scenario, std::size_t number, bool may_leave) {
  CallPlan call;
  call.id = fmt::format("call-{}", number);
  auto model = scenario.models.begin();
  std::advance(model, dice.between(0, scenario.models.size() - 1));
  call.model = model->first;
  call.stream = dice.chance(0.7);
  if (call.stream && !scenario.narrow_drain && dice.chance(0.5)) {
    call.same_text = true;
    call.id = fmt::format("call-{}", same_text_from + number);
  }
  call.usage = dice.chance(0.3);
  call.padding_bytes = dice.one_of<std::size_t>({0, 0, 50, 2000, 40'000});
  call.chunked = dice.chance(0.15);
  call.send_pieces = dice.one_of<std::size_t>({1, 1, 2, 5});
  call.send_pause = dice.between(0ms, 300ms);
  call.read_pause = dice.chance(0.2) ? dice.between(1ms, 400ms) : 0ms;
  if (may_leave && dice.chance(0.5)) {
    call.leave = dice.one_of({Mischief::leave_fin, Mischief::leave_reset});
    call.leave_phase =
        dice.one_of({ClientPhase::sending, ClientPhase::waiting, ClientPhase::receiving, ClientPhase::idle});
    call.leave_after = dice.one_of<Duration>({0us, 1ms, 100ms, 3s});
    call.leave_after_words = dice.between(0, 4);
  }
  return call;
}

}  // namespace

std::string key_value(std::string_view upstream, std::size_t number) {
  return fmt::format("key-{}-of-{}", number, upstream);
}

Scenario make_scenario(std::uint64_t seed) {
  Dice dice(seed ^ 0x5ce9a210U);
  Scenario scenario;
  scenario.seed = seed;
  scenario.metered = seed % 3 != 0;
  if (dice.chance(0.2)) {
    scenario.drain_after = dice.between(500ms, 5s);
    scenario.drain_time = dice.one_of<Duration>({0ms, 500ms, 2s, 10s});
    scenario.narrow_drain = dice.chance(0.4);
  }
  scenario.quiet_network = !scenario.narrow_drain && dice.chance(0.3);
  scenario.world = {.reorder = true,
                    .hold = 0.3,
                    .wake_delay = {0us, scenario.quiet_network ? 0us : 200us},
                    .clock_jump = dice.chance(0.2) ? 0.002 : 0.0};
  if (!scenario.quiet_network) {
    scenario.client_link = rough_link(dice);
    if (scenario.narrow_drain) {
      scenario.client_link.reset_discards = 0;      // what was said is seen
      scenario.client_link.capacity = {600, 1600};  // the last words of a drain may find no room
    }
    if (!scenario.narrow_drain && dice.chance(0.2)) {
      add_losses(dice, scenario.client_link);
      scenario.client_link.stall_for_ever = 0;  // a client whose leaving nobody can see would tell nothing
    }
  }
  scenario.timeouts = {.connect = 1s, .first_token = 5s, .between_events = 4s, .attempt = 8s, .total = 120s};
  if (dice.chance(0.1)) {
    scenario.timeouts.total = 10s;
  }
  scenario.retry = {
      .attempts = static_cast<int>(dice.between(1, 3)), .backoff = 200ms, .backoff_max = 3s, .stop_after = 30s};

  scenario.keep_alive_after = dice.one_of<std::chrono::milliseconds>({300ms, 2s, 20s});
  scenario.keep_alive_every = dice.one_of<std::chrono::milliseconds>({200ms, 1s, 20s});

  const double mood = scenario.narrow_drain ? 0.0 : dice.one_of({0.0, 0.5, 0.8, 1.0});
  const std::size_t upstreams = dice.between(1, 4);
  for (std::size_t i = 0; i < upstreams; ++i) {
    scenario.upstreams.push_back(make_upstream(dice, i, scenario, mood));
  }
  const std::size_t models = dice.between(1, 2);
  for (std::size_t i = 0; i < models; ++i) {
    std::vector<std::vector<std::string>> steps;
    std::size_t next = dice.between(0, upstreams - 1);
    for (std::size_t left = dice.between(1, upstreams); left > 0;) {
      const std::size_t members = left > 1 && dice.chance(0.3) ? 2 : 1;
      std::vector<std::string> step;
      for (std::size_t member = 0; member < members; ++member) {
        step.push_back(scenario.upstreams[next++ % upstreams].name);
      }
      left -= members;
      steps.push_back(std::move(step));
    }
    scenario.models[fmt::format("m{}", i)] = std::move(steps);
  }

  std::size_t call_number = 0;
  const bool leavers = !scenario.narrow_drain && dice.chance(0.5);
  const std::size_t clients = dice.between(1, 5);
  for (std::size_t i = 0; i < clients; ++i) {
    ClientPlan client;
    client.starts_after = dice.between(0ms, dice.one_of<Duration>({0ms, 10ms, 2s}));
    client.pause = dice.one_of<Duration>({0us, 1ms, 100ms, 2s});
    client.read_bytes_max = dice.one_of<std::size_t>({65536, 65536, 200});
    const std::size_t calls = dice.between(1, 4);
    if (scenario.narrow_drain) {
      client.read_bytes_max = 200;
    }
    const bool pipelining = dice.chance(0.2);
    for (std::size_t j = 0; j < calls; ++j) {
      CallPlan call = make_call(dice, scenario, ++call_number, leavers && j + 1 == calls);
      if (call.padding_bytes == 40'000 && (seed + j) % 2 == 0) {
        call.padding_bytes = 90'000;  // more than the gateway reads ahead
      }
      call.pipelined = pipelining && j > 0;
      call.reads_small = client.read_bytes_max < 65536;
      if (call.reads_small) {
        // Slow, but not so slow that it counts as gone.
        call.read_pause = std::min<Duration>(call.read_pause, 20ms);
      }
      if (scenario.narrow_drain) {
        // In spurts: in between the connection fills up, and the last words find too little room for a moment.
        call.reads_small = true;
        call.stream = true;
        call.padding_bytes = std::min<std::size_t>(call.padding_bytes, 50);
        call.read_pause = dice.between(200ms, 1200ms);
        call.read_spurt = 50ms;
      }
      if (pipelining) {
        call.padding_bytes =
            std::min<std::size_t>(call.padding_bytes, 50);  // fits the room in which the gateway lets them wait
        call.chunked = dice.chance(0.15);
        call.send_pieces = 1;
        if (call.leave_phase == ClientPhase::sending) {
          call.leave_phase = ClientPhase::waiting;
        }
      }
      client.calls.push_back(std::move(call));
    }
    scenario.clients.push_back(std::move(client));
  }
  for (std::size_t left = dice.chance(0.3) ? dice.between(1, 6) : 0; left > 0; --left) {
    ReloadPlan reload{.after = dice.between(0ms, dice.one_of<Duration>({100ms, 3s})), .replaced = {}};
    for (const UpstreamPlan& upstream : scenario.upstreams) {
      if (dice.chance(0.5)) {
        reload.replaced.push_back(upstream.name);
      }
    }
    scenario.reloads.push_back(std::move(reload));
  }
  if (dice.chance(0.2)) {
    scenario.upstream_connections = dice.one_of({1, 2, 4});
  }
  // By the seed's number, so that what the dice decide stays what it was.
  if (seed % 3 == 0) {
    scenario.breaker = {.failure_threshold = static_cast<int>(1 + seed % 2),
                        .recovery_timeout = std::chrono::milliseconds(100 + seed % 5000),
                        .half_open_max_calls = static_cast<int>(1 + seed % 3),
                        .adaptive = seed % 4 == 0};
  }
  if (seed % 11 == 0) {
    // Everybody is busy, so that the caller is told when to come back.
    for (UpstreamPlan& plan : scenario.upstreams) {
      plan.only_status = plan.only_busy = true;
      plan.upset_share = 0.9;
    }
  }
  if (seed % 7 == 0) {
    for (std::size_t i = 0; i < upstreams; i += 2) {
      scenario.weights[scenario.upstreams[i].name] = heavy;
    }
  }
  if (seed % 5 == 0) {
    scenario.max_in_flight = static_cast<int>(1 + seed % 2);
  }
  return scenario;
}

}  // namespace weir::sim
