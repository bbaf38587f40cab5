#pragma once

#include "gateway/reply_sink.hpp"
#include "http/response_writer.hpp"

namespace weir::api {

/// Gives what comes out of a call to an HTTP response: SSE as chunks, a whole body with its length, errors in OpenAI's
/// shape.
class HttpSink final : public gateway::ReplySink {
 public:
  explicit HttpSink(http::ResponseWriter& response) : response_(response) {}

  void head(const gateway::ReplyHead& head) override;
  Task<Outcome> events(std::span<const std::string_view> events) override;
  Task<Outcome> end(std::string_view last) override;
  Task<Outcome> error(const gateway::Failure& failure) override;
  [[nodiscard]] platform::Duration stalled() const override { return response_.stalled(); }
  [[nodiscard]] std::uint64_t bytes_sent() const override { return response_.bytes_sent(); }

 private:
  http::ResponseWriter& response_;
  bool streamed_ = false;
};

}  // namespace weir::api
