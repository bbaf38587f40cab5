#include "upstream/replies.hpp"

#include <fmt/format.h>

namespace weir::mock_upstream {
namespace {

constexpr std::string_view stamp_mark = "sent_ns=";
constexpr std::size_t stamp_digits = 18;

std::string chunk(std::string_view data) {
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

}  // namespace

Replies::Replies()
    : role_(event(
          R"("choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}])")),
      content_(event(R"("choices":[{"index":0,"delta":{"content":" the river"},"finish_reason":null}])")),
      finish_(event(R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}])")),
      usage_(event(R"("choices":[],"usage":{"prompt_tokens":180,"completion_tokens":48,"total_tokens":228})")) {
  completion_ = json_reply(
      R"({"id":"chatcmpl-bench0000000000000000000000","object":"chat.completion","created":1760000000,"model":"bench",)"
      R"("choices":[{"index":0,"message":{"role":"assistant","content":"The weir holds the river back a little, so that the )"
      R"(mill has water in dry weeks. \"As much as arrives,\" said the keeper, \"only more evenly.\"","refusal":null,)"
      R"("annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":180,"completion_tokens":48,)"
      R"("total_tokens":228,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":)"
      R"({"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},)"
      R"("service_tier":"default","system_fingerprint":"fp_bench"})");
  stream_head_ =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
      "x-request-id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n";
  done_ = chunk("data: [DONE]\n\n") + "0\r\n\r\n";
}

std::string Replies::json_reply(std::string_view body) {
  return fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_bench\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
}

// The time of sending stands in `system_fingerprint`, a field of every event's kind that clients do not interpret.
Replies::Event Replies::event(std::string_view choices_and_usage) {
  auto data = fmt::format(
      R"(data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench",)"
      R"("system_fingerprint":"{}{:0{}}",{}}})"
      "\n\n",
      stamp_mark, 0, stamp_digits, choices_and_usage);
  auto bytes = chunk(data);
  auto stamp = bytes.find(stamp_mark) + stamp_mark.size();
  return {std::move(bytes), stamp};
}

std::string_view Replies::stamped(Event& event, std::chrono::nanoseconds now) {
  auto number = now.count();
  for (auto i = stamp_digits; i-- > 0; number /= 10) {
    event.chunk[event.stamp + i] = static_cast<char>('0' + number % 10);
  }
  return event.chunk;
}

}  // namespace weir::mock_upstream
