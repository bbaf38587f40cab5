#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dialects/openai/edits.hpp"
#include "dialects/openai/request.hpp"

namespace weir::openai {

/// How a server of the family is brought to go on with the beginning of an answer.
enum class Prefill : std::uint8_t {
  none,            // it cannot: a last assistant message is a message like the others
  last_message,    // a last assistant message is gone on with
  prefix,          // one that says `"prefix": true`
  prefix_echoed,   // likewise, and the answer repeats the beginning
  continue_final,  // one with vLLM's two members beside it
};

/// The edits that put `text` behind the messages as the beginning of the answer. None where that would not be gone on
/// with, or would bring another answer: the body ends with an assistant message of its own, asks for several choices,
/// or for a form of output that a server enforces from the first token on.
[[nodiscard]] std::vector<Edit> edit_prefill(const Request& request, std::string_view body, std::string_view text,
                                             Prefill how);

}  // namespace weir::openai
