#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "text/json_scan.hpp"

/// Errors in the shape that OpenAI's clients read, in both directions.
///
/// Source: OpenAI's OpenAPI 2.3.0 and error guide, 2026-08. All four keys of the object are always present; clients
/// pick their exception class by the HTTP status alone and show the rest.
namespace weir::openai {

/// `{"error":{"message":...,"type":...,"param":...,"code":...}}`; an absent `param` or `code` is null.
[[nodiscard]] std::string error_body(std::string_view message, std::string_view type,
                                     std::optional<std::string_view> param, std::optional<std::string_view> code);

/// The same as the last event of a stream: `data: {...}` and an empty line. No `[DONE]` may follow it.
[[nodiscard]] std::string error_event(std::string_view message, std::string_view type,
                                      std::optional<std::string_view> param, std::optional<std::string_view> code);

/// How one of our codes looks to a caller who speaks OpenAI. An empty `code` is null on the wire.
struct ErrorShape {
  int status = 500;
  std::string_view type;
  std::string_view code;
};

/// The one table from our codes to OpenAI's.
[[nodiscard]] ErrorShape shape_of(Code code);

/// Body and event for an error of ours. `upstream_words` stay out: they are for the log.
[[nodiscard]] std::string error_body(const Error& error);
[[nodiscard]] std::string error_event(const Error& error);

/// Why a request was refused before anything was done with it: always 400 `invalid_request_error`.
struct RequestError {
  std::string message;    // our words, safe to show
  std::string_view code;  // a literal; empty is null
  std::string param;      // the path of the member at fault; empty is null
};
inline constexpr int request_error_status = 400;
[[nodiscard]] std::string error_body(const RequestError& error);

/// What a provider said in the `error` member of a reply or of an event. Never trusted: for logs, and to choose what to
/// do next.
struct ReportedError {
  text::Span span;      // of the member's value
  std::string message;  // empty if there is none
  std::string type;
  std::string code;  // also where the provider sent a number
};

/// The data of an error event that says what a provider's error body says: its `error` object, on one line. Nothing if
/// the body has none.
[[nodiscard]] std::optional<std::string> error_object_of(std::string_view body);

/// Reads the value of a top-level `error` member. Nothing if it is falsy (null, false, 0, ""), because OpenAI's clients
/// raise only for the rest; [] and {} raise in JavaScript. `whole`: the text that the span counts from.
[[nodiscard]] std::optional<ReportedError> read_error(const text::JsonValue& value, std::string_view whole);

}  // namespace weir::openai
