#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "dialects/openai/errors.hpp"
#include "text/json_scan.hpp"

namespace weir::openai {

/// How embeddings are asked for. `other`: a word of a compatible server ("int8", "ubinary"), which is its business.
enum class EncodingFormat : std::uint8_t { absent, floats, base64, other };

/// What weir reads of a request's body: of a chat completion, a legacy completion or an embedding, whichever of the
/// members it knows. The rest of the body is the provider's business and goes up as it came.
///
/// A plain value; its spans count from the start of the body, so it stays right when the body is moved.
/// Source: OpenAI's OpenAPI 2.3.0, `POST /chat/completions`, `/completions`, `/embeddings`.
struct Request {
  std::string model;                      // unescaped; empty when absent, null or ""
  std::optional<text::Span> model_value;  // the member's value as sent, also null
  bool stream = false;

  std::optional<text::Span> stream_options;  // the member's value as sent, also null
  bool stream_options_is_object = false;
  bool stream_options_is_empty = false;
  std::optional<text::Span> include_usage_value;  // inside of stream_options, also null
  bool include_usage = false;

  // Absent when null. An integer beyond 64 bits is held at the nearest bound.
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> max_completion_tokens;
  std::optional<text::Span> max_tokens_value;  // the members' values as sent, also null
  std::optional<text::Span> max_completion_tokens_value;
  std::optional<std::int64_t> n_predict;  // llama-server's own word, which it takes before the others
  std::optional<text::Span> n_predict_value;
  std::optional<std::int64_t> n;
  std::int64_t prompts = 1;                // completions: each prompt of a list gets its own `n` choices
  std::optional<text::Span> service_tier;  // the word between its quotes, as sent; absent where it is no string
  EncodingFormat encoding_format = EncodingFormat::absent;  // embeddings

  /// How many tokens an answer may have by what the caller says: of the limits that he names, the highest, at least 1.
  /// Absent: he names none, for a negative one is some servers' word for that; `n_predict` alone is none to most.
  [[nodiscard]] std::optional<std::int64_t> output_asked() const;
  /// How many choices a whole answer has.
  [[nodiscard]] std::size_t choices_asked() const;

  std::size_t members_begin = 0;  // behind the body's opening brace: where a member can be inserted
  bool has_members = false;
};

/// Validates the whole body and reads it in one pass. A key counts by its unescaped name, and a second one of the same
/// name is refused for each key that weir reads: what weir understood and what the provider understands must not
/// differ. Thread-safe; allocates only for a long model name and for an error.
[[nodiscard]] std::expected<Request, RequestError> read_chat_request(std::string_view body);
/// Likewise. What a completion is of (`prompt`) and an embedding (`input`) is not asked for: servers of the family take
/// other members in their place, and the provider says better what it misses.
[[nodiscard]] std::expected<Request, RequestError> read_completion_request(std::string_view body);
[[nodiscard]] std::expected<Request, RequestError> read_embedding_request(std::string_view body);

}  // namespace weir::openai
