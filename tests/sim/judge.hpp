#pragma once

#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// Says what the gateway did wrong in a run, from what the clients received, what the upstreams saw, and the records;
/// and counts in `history.reached` how the calls ended. It knows the promises and nothing of the gateway's inside.
std::vector<std::string> judge(const Scenario& scenario, History& history);

}  // namespace weir::sim
