#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "dialects/openai/reply.hpp"
#include "dialects/openai/request.hpp"
#include "dialects/openai/stream.hpp"

namespace weir::openai {

/// What an endpoint does, as far as the way of a call through the gateway depends on it: how its request, its events
/// and its reply are read. A table of functions, constant; everything else is the same for all of them.
struct Operation {
  std::string_view answer;  // with its article, for messages: "a chat completion"
  std::expected<Request, RequestError> (*read_request)(std::string_view body);
  InspectChunk inspect_chunk;
  ReplyFacts (*inspect_reply)(std::string_view body);
  // Where the reply may have to be written otherwise than the provider sent it; null: it never has.
  bool (*must_adapt)(const Request& request, std::string_view start) = nullptr;
  std::expected<std::optional<std::string>, std::string_view> (*adapt)(const Request& request,
                                                                       std::string_view body) = nullptr;
  bool has_output = true;  // tokens are generated
};

extern const Operation chat_completion;
extern const Operation text_completion;
extern const Operation embedding;

}  // namespace weir::openai
