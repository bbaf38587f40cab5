#pragma once

#include "sim/answer_text.hpp"
#include "sim/judged_call.hpp"

namespace weir::sim {

/// What must hold of an answer that came in one piece.
void judge_whole(JudgedCall& call);

/// The upstream call from which all of these words come; null if there is none. What is wrong with them is said.
const UpstreamCall* source_of(JudgedCall& call, const Words& words);

/// The client has the whole of what this upstream said, streamed or not: then the row and the head say so.
void judge_whole_row(JudgedCall& call, const UpstreamCall& source);

}  // namespace weir::sim
