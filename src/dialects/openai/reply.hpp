#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "dialects/openai/errors.hpp"
#include "llm/usage.hpp"

namespace weir::openai {

/// What a whole reply says, read beside it: it goes to the caller as its original bytes.
/// Source: OpenAI's OpenAPI 2.3.0, `POST /chat/completions`, `/completions`, `/embeddings`.
struct ReplyFacts {
  /// Neither a JSON object with an array of choices (of data, for embeddings) nor one with an error; `malformed_why` is
  /// a literal, and nothing else is set then.
  bool malformed = false;
  std::string_view malformed_why;

  std::optional<ReportedError> error;
  std::optional<llm::Usage> usage;
  std::string_view service_tier;  // that was given, as sent; a view into the body, empty where it does not say
};

/// Reads a whole completion, chat or legacy. Thread-safe; allocates only for an error's words.
[[nodiscard]] ReplyFacts inspect_reply(std::string_view body);
/// Likewise the reply to an embeddings request.
[[nodiscard]] ReplyFacts inspect_embeddings(std::string_view body);

}  // namespace weir::openai
