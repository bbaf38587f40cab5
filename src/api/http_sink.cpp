#include "api/http_sink.hpp"

#include <fmt/format.h>

#include "api/reply.hpp"
#include "dialects/openai/errors.hpp"

namespace weir::api {

void HttpSink::head(const gateway::ReplyHead& head) {
  streamed_ = head.streamed;
  response_.start(head.status);
  for (const http::Header& header : head.passing) {
    response_.parsed_field(header);
  }
  response_.lines(head.own);
  response_.stream(head.body_bytes);
}

Task<HttpSink::Outcome> HttpSink::events(std::span<const std::string_view> events) {
  return response_.pieces(events);
}

Task<HttpSink::Outcome> HttpSink::end(std::string_view last) {
  return response_.finish(last);
}

Task<HttpSink::Outcome> HttpSink::error(const gateway::Failure& failure) {
  response_.ignore_cancellation();
  if (response_.head_sent()) {
    if (streamed_) {
      const std::string event =
          failure.reply.empty() ? openai::error_event(failure.error) : "data: " + failure.reply + "\n\n";
      co_return co_await response_.finish(event);
    }
    // Half a JSON body has no place for an error: the connection breaks instead, which no client takes for an end.
    response_.close_after();
    co_return std::unexpected(Code::reset);
  }
  const openai::ErrorShape shape = openai::shape_of(failure.error.code);
  response_.start(shape.status);
  response_.field("content-type", "application/json");
  response_.lines(failure.own);
  write_retry_headers(response_, shape.status, failure.retry_after_seconds);
  const std::string body = failure.reply.empty() ? openai::error_body(failure.error) : failure.reply;
  co_return co_await response_.whole(body);
}

}  // namespace weir::api
