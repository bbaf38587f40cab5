#pragma once

#include "sim/judged_call.hpp"

namespace weir::sim {

/// What must hold of the row of a call, which must be there, and of its attempts: that each was closed, had its time
/// and no more, had a reason to follow the one before, and reached the upstream that it names.
void judge_row(JudgedCall& call);

}  // namespace weir::sim
