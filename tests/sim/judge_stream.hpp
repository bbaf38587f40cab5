#pragma once

#include "sim/judged_call.hpp"

namespace weir::sim {

/// What must hold of an answer that is streamed: what the client got is what one upstream sent, or several that went on
/// with each other, and it ends whole or with an error that was due.
void judge_stream(JudgedCall& call);

}  // namespace weir::sim
