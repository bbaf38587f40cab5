#pragma once

#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// What must hold of the choice of targets over all calls of a run: who is blamed, who is left alone and for how long,
/// how many may try out whether he is well again, and whether shares follow the weights. Appends to `violations`.
void judge_routing(const Scenario& scenario, const History& history, std::vector<std::string>& violations);

/// Of one call that was told to come back: whether that is when the first of those who were asked takes calls again.
/// `told`: the seconds; appends to `violations`.
void judge_come_back(const History& history, const ledger::RequestRecord& row, const std::string& told,
                     std::vector<std::string>& violations);

}  // namespace weir::sim
