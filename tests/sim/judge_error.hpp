#pragma once

#include "sim/judged_call.hpp"

namespace weir::sim {

/// What must hold of an answer with an error status.
void judge_error(JudgedCall& call);

/// An error, as a status or as an event before any content, is the answer only if nobody could give a better one.
void judge_giving_up(JudgedCall& call);

}  // namespace weir::sim
