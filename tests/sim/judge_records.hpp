#pragma once

#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// What must hold of the rows of a run, whoever called: each has its own id and its call, each was closed, and each
/// attempt was charged for what it cost. Appends to `violations`.
void judge_records(const Scenario& scenario, const History& history, std::vector<std::string>& violations);

}  // namespace weir::sim
