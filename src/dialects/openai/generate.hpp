#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "dialects/openai/errors.hpp"

/// Weir's own `POST /v1/generate`: a prompt in, a text out, told as a chat completion to the provider. Its shapes are
/// fixed by those who script against it: docs/endpoints.md.
namespace weir::openai {

/// The chat completion that asks for what a generate request asks for: the prompt, as it was spelt, is a user's
/// message, every other member goes along as its bytes. Refuses what has no prompt, `messages`, and more answers than
/// one.
[[nodiscard]] std::expected<std::string, RequestError> chat_body_of_generate(std::string_view body);

/// `{"id","model","text","finish_reason","usage","cached"}` from a whole chat completion; what that lacks is null.
/// Nothing where it is no JSON object.
[[nodiscard]] std::optional<std::string> generate_reply(std::string_view chat_reply, bool cached);

/// Appends `data: {"text":...}` for the text that the data of a valid chunk brings; nothing for one without any.
void append_generate_event(std::string& out, std::string_view chunk);

}  // namespace weir::openai
