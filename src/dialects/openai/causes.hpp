#pragma once

#include <span>
#include <string>
#include <string_view>

#include "llm/cause.hpp"

/// What the errors of OpenAI's API, and of the many servers that speak its format, mean for what is done next.
namespace weir::openai {

/// What an error says, taken out of whichever shape it came in.
struct ErrorWords {
  std::string message;
  std::string type;
  std::string code;    // also where a number was sent
  std::string param;   // which part of the request is at fault
  std::string detail;  // metadata.error_type (OpenRouter), innererror.code (Azure)
};

/// Reads the body of an error answer, or the data of an error event: `{"error":{...}}`, `{"error":"..."}`, the flat
/// `{"message":...}`, `{"detail":...}` as a text or a list. Empty words where it says nothing that we know. `body` may
/// be anything.
[[nodiscard]] ErrorWords read_error_words(std::string_view body);

/// One rule: all that it names must agree. The first that agrees decides.
struct CauseRule {
  int status = 0;            // 0: any
  std::string_view word;     // code, type or detail is this; empty: any
  std::string_view message;  // stands in the message, whatever the case; empty: any
  llm::Cause cause{};
  std::string_view source;  // whose words these are, and where they were seen
};
[[nodiscard]] std::span<const CauseRule> cause_rules();

/// The rule that decides; null where the status alone does.
[[nodiscard]] const CauseRule* rule_of(int status, const ErrorWords& words);

/// The cause of an error answer. `status`: the HTTP status, or 200 where the error came inside of a success; then the
/// status that the words name, if any, counts. What no rule and no status explains is `overload`: the provider's fault.
[[nodiscard]] llm::Cause cause_of(int status, const ErrorWords& words);

/// The status that an error is worth: the HTTP status, or for one inside of a success the number in its code, or one
/// that fits its cause. 0: nothing tells.
[[nodiscard]] int status_of(int status, const ErrorWords& words);

/// What a status says by itself.
[[nodiscard]] llm::Cause cause_of_status(int status);

}  // namespace weir::openai
