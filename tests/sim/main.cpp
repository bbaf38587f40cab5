// The whole gateway in simulated worlds. Each seed is one world: who is there, what they mean to do, what goes wrong
// and in which order things happen. What a seed did once it does again, so a failure is replayed with one command,
// which is printed.
//
//   sim_tests                                    1,000 fresh seeds, and every seed of tests/sim/seeds.txt
//   sim_tests --first-seed=17 --seeds=1 --story  one world, step by step
//   sim_tests --calls=100000                     only worlds about money, until they have seen so many calls
//
// Each seed is two worlds: one in which everything goes wrong that can (run.hpp), and one about money, limits and the
// death of the process (money_run.hpp).
//
// WEIR_SIM_SEEDS and WEIR_SIM_SEED stand for --seeds and --first-seed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "platform/random.hpp"
#include "sim/money_run.hpp"
#include "sim/run.hpp"

namespace weir::sim {
namespace {

struct Options {
  std::uint64_t seeds = 1000;
  std::uint64_t first_seed = 0;
  std::uint64_t calls = 0;  // of the worlds about money alone; 0: `seeds` says how long
  bool story = false;
  bool until_failure = false;  // stops at the first seed that fails
  bool bugs_only = false;      // neither old seeds nor states: what the fresh seeds find, for planted bugs
  std::string program = "sim_tests";
};
Options options;

constexpr std::uint64_t seeds_per_money_world = 8;     // where bugs are looked for: it has eight times as many calls
constexpr std::uint64_t seeds_for_every_state = 1000;  // fewer cannot be asked to reach each state

/// True if the seed's run holds; says all that is needed to look at it if not.
template <class Result>
bool holds(std::uint64_t seed, const Result& result) {
  if (result.violations.empty()) {
    return true;
  }
  std::string text = fmt::format("seed {}:\n", seed);
  for (const std::string& violation : result.violations) {
    text += "  " + violation + "\n";
  }
  text += fmt::format("replay: {} --first-seed={} --seeds=1 --story\n", options.program, seed);
  ADD_FAILURE() << text;
  return false;
}

std::vector<std::uint64_t> seeds_that_failed_once() {
  std::vector<std::uint64_t> seeds;
  const auto path = std::filesystem::path(__FILE__).parent_path() / "seeds.txt";
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  for (std::string line; std::getline(file, line);) {
    std::uint64_t seed = 0;
    if (!line.empty() && line[0] != '#' &&
        std::from_chars(line.data(), line.data() + line.size(), seed).ec == std::errc()) {
      seeds.push_back(seed);
    }
  }
  return seeds;
}

TEST(Simulation, fresh_seeds_hold_and_reach_every_state) {
  const Story story = options.story ? Story::told : Story::untold;
  const bool money_alone = options.calls > 0;
  Reached reached;
  MoneyStates money_states;
  std::uint64_t failed = 0;
  std::uint64_t calls = 0;
  std::uint64_t money_calls = 0;
  std::uint64_t run = 0;
  for (std::uint64_t i = 0; money_alone ? money_calls < options.calls : i < options.seeds; ++i) {
    const std::uint64_t seed = options.first_seed + i;
    const RunResult result = money_alone ? RunResult() : run_seed(seed, story);
    const bool money_too = !options.bugs_only || i % seeds_per_money_world == 0;
    const MoneyResult money = money_too ? run_money_seed(seed, story) : MoneyResult();
    if (options.story) {
      std::cout << result.story << "--- the world about money\n" << money.story;
    }
    ++run;
    const bool good = holds(seed, result);
    failed += holds(seed, money) && good ? 0 : 1;
    calls += result.calls;
    money_calls += money.calls;
    reached.merge(result.reached);
    money_states.merge(money.states);
    if (failed > 0 && options.until_failure) {
      break;
    }
    if (failed >= 20) {
      break;  // more would say the same
    }
  }
  std::cout << fmt::format("{} seeds from {}, {} calls and {} about money, {} seeds failed\n", run, options.first_seed,
                           calls, money_calls, failed)
            << (money_alone ? std::string() : reached.table()) << money_states.table();
  if (run >= seeds_for_every_state && !options.bugs_only) {
    auto missing = money_alone ? std::vector<std::string>() : reached.missing();
    const auto missing_too = money_states.missing();
    missing.insert(missing.end(), missing_too.begin(), missing_too.end());
    for (const std::string& state : missing) {
      ADD_FAILURE() << "no seed reached: " << state;
    }
  }
}

TEST(Simulation, seeds_that_failed_once_hold) {
  if (options.bugs_only) {
    return;
  }
  for (const std::uint64_t seed : seeds_that_failed_once()) {
    holds(seed, run_seed(seed));
    holds(seed, run_money_seed(seed));
  }
}

TEST(Simulation, the_same_seed_gives_the_same_run) {
  std::vector<std::uint64_t> seeds;
  if (!options.bugs_only) {
    seeds = seeds_that_failed_once();
  }
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(options.seeds, 30); ++i) {
    seeds.push_back(options.first_seed + i);
  }
  for (const std::uint64_t seed : seeds) {
    const RunResult first = run_seed(seed, Story::told);
    const RunResult second = run_seed(seed, Story::told);
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
    const auto [here, there] = std::ranges::mismatch(first.story, second.story);
    EXPECT_EQ(first.trace_hash, second.trace_hash)
        << "seed " << seed << ": the runs part here: " << std::string_view(here, first.story.end()).substr(0, 1200)
        << "\n-- and there: " << std::string_view(there, second.story.end()).substr(0, 1200);
    const MoneyResult money = run_money_seed(seed, Story::told);
    const MoneyResult again = run_money_seed(seed, Story::told);
    const auto [once, then] = std::ranges::mismatch(money.story, again.story);
    EXPECT_EQ(money.trace_hash, again.trace_hash)
        << "seed " << seed
        << ", money: the runs part here: " << std::string_view(once, money.story.end()).substr(0, 1200)
        << "\n-- and there: " << std::string_view(then, again.story.end()).substr(0, 1200);
  }
}

void take_number(std::string_view argument, std::string_view name, std::uint64_t& value) {
  if (argument.starts_with(name)) {
    std::from_chars(argument.data() + name.size(), argument.data() + argument.size(), value);
  }
}

}  // namespace
}  // namespace weir::sim

int main(int count, char** arguments) {
  using weir::sim::options;
  testing::InitGoogleTest(&count, arguments);
  options.program = arguments[0];
  options.first_seed = weir::platform::entropy() >> 24;  // short enough to be typed
  if (const char* seeds = std::getenv("WEIR_SIM_SEEDS")) {
    weir::sim::take_number(seeds, "", options.seeds);
  }
  if (const char* seed = std::getenv("WEIR_SIM_SEED")) {
    weir::sim::take_number(seed, "", options.first_seed);
  }
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    weir::sim::take_number(argument, "--seeds=", options.seeds);
    weir::sim::take_number(argument, "--first-seed=", options.first_seed);
    weir::sim::take_number(argument, "--calls=", options.calls);
    options.story = options.story || argument == "--story";
    options.until_failure = options.until_failure || argument == "--until-failure";
    options.bugs_only = options.bugs_only || argument == "--bugs-only";
  }
  return RUN_ALL_TESTS();
}
