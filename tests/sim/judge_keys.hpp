#pragma once

#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/judged_call.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// It gave the gateway a reason to leave its key alone for a while.
bool refuses_key(const UpstreamCall& upstream);

/// Of a call that failed: a refused key is no refusal of its upstream, and one that was never refused would have been
/// taken.
void judge_siblings(JudgedCall& call, const std::string& provider);

/// Over all calls of a run: a key that was refused is left alone for a while, as long as another one serves. Appends to
/// `violations`.
void judge_keys(const Scenario& scenario, const History& history, std::vector<std::string>& violations);

}  // namespace weir::sim
