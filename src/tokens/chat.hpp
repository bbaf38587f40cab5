#pragma once

#include <cstdint>
#include <string_view>

#include "tokens/tokenizer.hpp"

namespace weir::tokens {

/// What a prompt weighs, and whether that is what the provider counts too.
struct PromptCount {
  std::int64_t tokens = 0;
  bool exact = true;  // false: images, audio, tools or tool calls are in it, whose weight providers do not publish
  friend bool operator==(const PromptCount&, const PromptCount&) = default;
};

/// Counts the prompt of a chat request: `body` is the whole JSON object, validated before. Every message has an
/// overhead of 3, a name one of 1, and the reply is primed with 3.
/// Source: OpenAI cookbook, "How to count tokens with tiktoken" (2023-2025).
PromptCount count_chat(Tokenizer& tokenizer, std::string_view body);

/// Counts the prompt of a completion or embedding request: a text, a list of texts, a list of token numbers or a list
/// of such lists, in the member `name` ("prompt", "input").
PromptCount count_prompt(Tokenizer& tokenizer, std::string_view body, std::string_view name);

/// Counts the texts of all choices of a whole reply to either; thoughts that it shows are a part of them.
PromptCount count_reply(Tokenizer& tokenizer, std::string_view reply);

/// The same by estimate(), for request threads: one pass, no vocabulary.
std::int64_t estimate_chat(std::string_view body);
std::int64_t estimate_prompt(std::string_view body, std::string_view name);
std::int64_t estimate_reply(std::string_view reply);

}  // namespace weir::tokens
