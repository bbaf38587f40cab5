#include "api/reply.hpp"

#include <fmt/format.h>

#include "dialects/openai/errors.hpp"
#include "observe/json_time.hpp"

namespace weir::api {

void write_retry_headers(http::ResponseWriter& response, int status, std::optional<int> retry_after_seconds) {
  if (status == 401) {
    response.field("www-authenticate", "Bearer");  // RFC 9110 section 15.5.2; no browser opens a dialog for it
  }
  if (status == 402) {
    response.field("x-should-retry", "false");  // what is spent is spent, and the clients of OpenAI honour this
  }
  if (status != 429 && status != 503) {
    return;
  }
  const int seconds = std::max(1, retry_after_seconds.value_or(1));
  response.field("retry-after", fmt::format_int(seconds).c_str());
  response.field("retry-after-ms", fmt::format_int(std::int64_t{seconds} * 1000).c_str());
}

void start_reply(ApiRequest& request, int status, std::string_view content_type) {
  http::ResponseWriter& response = request.response;
  response.start(status);
  response.field("content-type", content_type);
  response.field("x-weir-request-id", request.id);
  response.field("x-request-id", request.id);
  response.field("x-weir-attempts", "0");
  const platform::Duration taken = request.core.loop.now() - request.http.received;
  response.field("server-timing", "weir;dur=" + observe::milliseconds(taken));
  write_retry_headers(response, status, std::nullopt);
  if (!request.allow.empty()) {
    response.field("allow", request.allow);
  }
}

Task<void> reply(ApiRequest& request, int status, std::string_view content_type, std::string_view body) {
  start_reply(request, status, content_type);
  static_cast<void>(co_await request.response.whole(body));
}

Task<void> reply_error(ApiRequest& request, const Error& error) {
  const std::string body = openai::error_body(error);
  co_await reply_json(request, openai::shape_of(error.code).status, body);
}

}  // namespace weir::api
