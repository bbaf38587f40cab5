#pragma once

#include <optional>
#include <string_view>

#include "api/registry.hpp"
#include "base/result.hpp"

namespace weir::api {

/// The headers that tell a client what to do about a refusal: when to come back, for 429 and 503, in whole seconds, at
/// least one; and what a 401 wants to be sent.
void write_retry_headers(http::ResponseWriter& response, int status, std::optional<int> retry_after_seconds);

/// Begins an answer made here, with the headers that every answer of weir has; more may follow.
void start_reply(ApiRequest& request, int status, std::string_view content_type);
/// A whole answer made here.
Task<void> reply(ApiRequest& request, int status, std::string_view content_type, std::string_view body);
inline Task<void> reply_json(ApiRequest& request, int status, std::string_view body) {
  return reply(request, status, "application/json", body);
}
/// An error of ours in OpenAI's shape.
Task<void> reply_error(ApiRequest& request, const Error& error);

}  // namespace weir::api
