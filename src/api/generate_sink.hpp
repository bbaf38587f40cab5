#pragma once

#include "gateway/reply_sink.hpp"
#include "http/sse_parser.hpp"

namespace weir::api {

/// Tells a chat completion as the answer of `POST /v1/generate`: the text of each event as `{"text"}`, a whole reply as
/// its six members. What is no success passes as it is. One per call, in front of the sink that writes.
class GenerateSink final : public gateway::ReplySink {
 public:
  explicit GenerateSink(gateway::ReplySink& inner) : inner_(inner) {}

  void head(const gateway::ReplyHead& head) override;
  Task<Outcome> events(std::span<const std::string_view> events) override;
  Task<Outcome> end(std::string_view last) override;
  Task<Outcome> error(const gateway::Failure& failure) override;
  [[nodiscard]] platform::Duration stalled() const override { return inner_.stalled(); }
  [[nodiscard]] std::uint64_t bytes_sent() const override { return inner_.bytes_sent(); }

 private:
  enum class Form : std::uint8_t { as_it_is, stream, whole };

  gateway::ReplySink& inner_;
  Form form_ = Form::as_it_is;
  void tell_head(std::size_t body_bytes);

  // Of a whole reply, until it is there: its length is told with the head.
  int status_ = 200;
  std::vector<std::pair<std::string, std::string>> passing_;
  http::FieldLines own_;
  std::string collected_;
};

}  // namespace weir::api
