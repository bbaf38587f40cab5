#include "platform/sim/simulated_world.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/sim/running.hpp"

namespace weir::platform {
namespace {

using namespace std::chrono_literals;

class Echo final : public AcceptHandler {
 public:
  explicit Echo(Loop& loop) : loop_(loop) {}
  void on_accept(std::unique_ptr<Accepted> connection) override {
    connections_.emplace_back(loop_, serve(connection->open_on(loop_)));
  }

 private:
  Task<void> serve(std::unique_ptr<Stream> stream) {
    ByteReader reader(loop_, *stream, {});
    ByteWriter writer(loop_, *stream);
    reader.start();
    while ((co_await reader.more(0, {})).has_value()) {
      const std::string bytes(reader.bytes());
      reader.consume(bytes.size());
      const std::string_view slices[] = {bytes};
      if (!(co_await writer.write(slices, {})).has_value()) {
        break;
      }
    }
    stream->close();
  }
  Loop& loop_;
  std::vector<Running> connections_;
};

struct Outcome {
  std::string got;
  std::optional<Code> ended;
};

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz";

/// Sends the alphabet twice, five letters at a time, and waits for each echo.
Task<void> talk(Loop& loop, Peer peer, Outcome& outcome) {
  auto dialled = co_await loop.dial(peer, {.deadline = loop.now() + 30s});
  if (!dialled) {
    outcome.ended = dialled.error().code;
    co_return;
  }
  const std::unique_ptr<Stream> stream = std::move(*dialled);
  ByteReader reader(loop, *stream, {});
  ByteWriter writer(loop, *stream);
  reader.start();
  const std::string sent = std::string(alphabet) + std::string(alphabet);
  for (std::size_t at = 0; at < sent.size() && !outcome.ended; at += 5) {
    const std::string_view slices[] = {std::string_view(sent).substr(at, 5)};
    if (auto written = co_await writer.write(slices, {}); !written) {
      outcome.ended = written.error();
    }
    while (!outcome.ended && outcome.got.size() < at + slices[0].size()) {
      if (auto more = co_await reader.more(0, {.deadline = loop.now() + 30s}); !more) {
        outcome.ended = more.error();
      }
      outcome.got += reader.bytes();
      reader.consume(reader.bytes().size());
    }
  }
  stream->close();
}

struct SeededRun {
  std::uint64_t hash = 0;
  std::string story;
  std::vector<Outcome> outcomes;
  FaultCounts faults;
  std::size_t open_streams = 0;
};

SeededRun run_seed(std::uint64_t seed, WorldFaults world_faults, LinkFaults link) {
  SeededRun result;
  result.outcomes.resize(5);
  SimulatedWorld world(seed, world_faults);
  world.tell_story_to([&](std::string_view line) { result.story.append(line).append("\n"); });
  world.network().set_default_link(link);
  SimulatedLoop& server = world.add_loop("10.0.0.1");
  SimulatedLoop& client = world.add_loop("10.0.0.2");
  {
    Echo echo(server);
    const auto listener = server.listen({"10.0.0.1", 80}, echo);
    EXPECT_TRUE(listener.has_value());
    std::vector<Running> clients;
    for (Outcome& outcome : result.outcomes) {
      clients.emplace_back(client, talk(client, {"10.0.0.1", 80}, outcome));
    }
    EXPECT_NE(world.run(world.now() + 1h), SimulatedWorld::Stopped::out_of_steps);
  }
  result.hash = world.trace_hash();
  result.faults = world.fault_counts();
  result.open_streams = world.network().open_streams();
  return result;
}

constexpr WorldFaults rough_world{.reorder = true, .hold = 0.3, .wake_delay = {0us, 100us}, .clock_jump = 0.05};
constexpr LinkFaults rough_link{.latency = {10us, 5ms},
                                .capacity = {4, 1000},
                                .partial_read = 0.2,
                                .partial_write = 0.2,
                                .split = 0.2,
                                .reset = 0.01,
                                .stall = 0.05,
                                .stall_for_ever = 0.002,
                                .late_close = 0.3,
                                .reset_discards = 0.5,
                                .dial_refused = 0.1,
                                .dial_silent = 0.1};

TEST(SimulatedWorld, the_same_seed_gives_the_same_run) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SeededRun first = run_seed(seed, rough_world, rough_link);
    const SeededRun second = run_seed(seed, rough_world, rough_link);
    EXPECT_EQ(first.hash, second.hash);
    EXPECT_EQ(first.story, second.story);
  }
}

TEST(SimulatedWorld, another_seed_gives_another_run) {
  EXPECT_NE(run_seed(1, rough_world, rough_link).hash, run_seed(2, rough_world, rough_link).hash);
}

TEST(SimulatedWorld, without_faults_everything_arrives) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const SeededRun result = run_seed(seed, {}, {});
    for (const Outcome& outcome : result.outcomes) {
      EXPECT_EQ(outcome.got, std::string(alphabet) + std::string(alphabet));
      EXPECT_FALSE(outcome.ended);
    }
    EXPECT_EQ(result.open_streams, 0U);
    for (std::size_t kind = 0; kind < static_cast<std::size_t>(Fault::kinds); ++kind) {
      EXPECT_EQ(result.faults.of(static_cast<Fault>(kind)), 0U) << to_string(static_cast<Fault>(kind));
    }
  }
}

TEST(SimulatedWorld, with_faults_what_arrives_is_a_beginning_of_what_was_sent) {
  const std::string sent = std::string(alphabet) + std::string(alphabet);
  std::size_t whole = 0;
  std::size_t cut = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const SeededRun result = run_seed(seed, rough_world, rough_link);
    for (const Outcome& outcome : result.outcomes) {
      EXPECT_TRUE(sent.starts_with(outcome.got)) << seed << ": " << outcome.got;
      EXPECT_EQ(outcome.got == sent, !outcome.ended) << seed;
      ++(outcome.got == sent ? whole : cut);
    }
    EXPECT_EQ(result.open_streams, 0U) << seed;
  }
  EXPECT_GT(whole, 0U);
  EXPECT_GT(cut, 0U);
}

TEST(SimulatedWorld, every_kind_of_fault_of_the_network_and_the_clock_happens_and_is_counted) {
  FaultCounts seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const SeededRun result = run_seed(seed, rough_world, rough_link);
    for (std::size_t kind = 0; kind < static_cast<std::size_t>(Fault::kinds); ++kind) {
      if (result.faults.of(static_cast<Fault>(kind)) > 0) {
        seen.count(static_cast<Fault>(kind));
      }
    }
  }
  for (const Fault fault : {Fault::partial_read, Fault::partial_write, Fault::no_room, Fault::split_segment,
                            Fault::reset, Fault::discarded_by_reset, Fault::stall, Fault::stall_for_ever,
                            Fault::late_close, Fault::dial_refused, Fault::dial_silent, Fault::clock_jump}) {
    EXPECT_GT(seen.of(fault), 0U) << to_string(fault);
  }
}

TEST(SimulatedWorld, concurrent_events_happen_in_the_order_of_the_seed) {
  std::vector<std::vector<int>> orders;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    SimulatedWorld world(seed, {.reorder = true});
    SimulatedLoop& loop = world.add_loop("10.0.0.1");
    std::vector<int>& order = orders.emplace_back();
    for (int i = 0; i < 5; ++i) {
      world.schedule(world.now() + 1s, loop, [&order, i] { order.push_back(i); });
    }
    EXPECT_EQ(world.run(), SimulatedWorld::Stopped::idle);
    EXPECT_EQ(order.size(), 5U);
  }
  EXPECT_TRUE(std::ranges::any_of(orders, [&](const auto& order) { return order != orders.front(); }));
}

Task<void> sleep_until(Loop& loop, Instant deadline, bool& woke) {
  co_await sleep(loop, {.deadline = deadline});
  woke = true;
}

TEST(SimulatedWorld, time_passes_only_as_far_as_it_is_let) {
  SimulatedWorld world(1);
  SimulatedLoop& loop = world.add_loop("10.0.0.1");
  const Instant start = world.now();
  bool woke = false;
  const Running sleeper(loop, sleep_until(loop, start + 1min, woke));
  EXPECT_EQ(world.run(start + 59s), SimulatedWorld::Stopped::out_of_time);
  EXPECT_FALSE(woke);
  EXPECT_EQ(world.now(), start + 59s);
  EXPECT_EQ(world.run(start + 1h), SimulatedWorld::Stopped::idle);
  EXPECT_TRUE(woke);
  EXPECT_EQ(world.now(), start + 1min);
}

TEST(SimulatedWorld, wall_time_may_jump_while_steady_time_does_not) {
  SimulatedWorld world(1);
  const Instant steady = world.now();
  const WallTime wall = world.wall_now();
  world.jump_wall_clock(-1h);
  EXPECT_EQ(world.wall_now(), wall - 1h);
  EXPECT_EQ(world.now(), steady);
  EXPECT_EQ(world.fault_counts().of(Fault::clock_jump), 1U);
}

TEST(SimulatedWorld, a_run_without_end_stops_at_its_bound) {
  SimulatedWorld world(1);
  SimulatedLoop& loop = world.add_loop("10.0.0.1");
  std::function<void()> again = [&] { loop.post(again); };
  again();
  EXPECT_EQ(world.run(never, 1000), SimulatedWorld::Stopped::out_of_steps);
}

}  // namespace
}  // namespace weir::platform
