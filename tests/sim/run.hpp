#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/upset.hpp"

namespace weir::sim {

struct RunResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  Reached reached;
  std::uint64_t steps = 0;
  std::uint64_t calls = 0;
  std::string story;  // where it was asked for
};

enum class Story : std::uint8_t { untold, told };

/// One run of the whole gateway in a world of its own.
RunResult run_seed(std::uint64_t seed, Story story = Story::untold);

}  // namespace weir::sim
