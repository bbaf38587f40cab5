#pragma once

#include "sim/money_states.hpp"
#include "sim/run.hpp"

namespace weir::sim {

struct MoneyResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  MoneyStates states;
  std::uint64_t steps = 0;
  std::uint64_t calls = 0;
  std::string story;  // where it was asked for
};

/// One day of the gateway, with its journal and its store, in a world of its own: its processes are killed, and callers
/// have budgets and limits that they reach.
MoneyResult run_money_seed(std::uint64_t seed, Story story = Story::untold);

}  // namespace weir::sim
