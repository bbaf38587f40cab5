#pragma once

#include <cstdint>
#include <string_view>

namespace weir::llm {

/// Why an attempt failed, in the one list that every dialect's errors are read into. What happens next follows from it
/// alone (gateway/retry_policy.hpp), and so does whom a breaker blames.
enum class Cause : std::uint8_t {
  callers_fault,   // the request itself is wrong: every target would say so, and the caller has to hear it
  credential,      // the provider refuses our key
  key_quota,       // what our key may spend is spent: no wait of seconds helps
  rate,            // our key asks too often: a wait, another key or another target helps
  overload,        // the provider is full or unwell (5xx, 529)
  context_window,  // the request is too long for this model
  content_policy,  // the provider will not answer this request
  unsupported,     // this model or server lacks something that the request needs
  model_missing,   // the provider does not know the model, or our account may not use it
  transport,       // no answer, or not its end: refused, reset, cut, DNS, TLS
  malformed,       // an answer that breaks HTTP, SSE, JSON or the dialect
  slow,            // a time limit of ours passed
  gateway,         // weir itself could not go on: out of memory, stopping
};
inline constexpr int causes_count = 13;

std::string_view to_string(Cause cause);

/// The target is to blame: what a circuit breaker counts.
bool is_targets_fault(Cause cause);

/// Our key is to blame: it is taken out, and its siblings are asked.
bool is_keys_fault(Cause cause);

}  // namespace weir::llm
