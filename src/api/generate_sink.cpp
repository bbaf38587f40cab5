#include "api/generate_sink.hpp"

#include "dialects/openai/generate.hpp"

namespace weir::api {

namespace {

constexpr std::size_t event_bytes_max = std::size_t{2} << 20;   // beyond what the relay lets through
constexpr std::size_t whole_bytes_max = std::size_t{16} << 20;  // of a reply that has to be held to be told anew
constexpr std::string_view done_event = "data: [DONE]\n\n";

}  // namespace

void GenerateSink::head(const gateway::ReplyHead& head) {
  if (head.status < 200 || head.status > 299) {
    form_ = Form::as_it_is;
  } else {
    form_ = head.streamed ? Form::stream : Form::whole;
  }
  if (form_ != Form::whole) {
    inner_.head(head);
    return;
  }
  status_ = head.status;
  for (const http::Header& header : head.passing) {
    passing_.emplace_back(header.name, header.value);
  }
  own_ = head.own;
}

void GenerateSink::tell_head(std::size_t body_bytes) {
  gateway::ReplyHead head{.status = status_, .streamed = false, .body_bytes = body_bytes, .passing = {}, .own = own_};
  for (const auto& [name, value] : passing_) {
    head.passing.push_back({.name = name, .value = value, .known = http::classify_header(name)});
  }
  inner_.head(head);
}

Task<GenerateSink::Outcome> GenerateSink::events(std::span<const std::string_view> events) {
  if (form_ == Form::as_it_is) {
    co_return co_await inner_.events(events);
  }
  if (form_ == Form::whole) {
    for (const std::string_view part : events) {
      collected_ += part;
    }
    if (collected_.size() > whole_bytes_max) {
      static_cast<void>(co_await error({.error = {.code = Code::upstream_malformed,
                                                  .message = "The provider's answer is too large for /v1/generate."}}));
      co_return std::unexpected(Code::reset);
    }
    co_return Outcome();
  }
  std::string told;
  for (const std::string_view event : events) {
    http::SseParser parser(event_bytes_max);
    parser.feed(event);
    for (auto read = parser.next(); read && *read; read = parser.next()) {
      if ((*read)->comment_only) {
        told += (*read)->bytes;  // a heartbeat
      } else if ((*read)->has_data) {
        openai::append_generate_event(told, (*read)->data);
      }
    }
  }
  if (told.empty()) {
    co_return Outcome();
  }
  const std::string_view piece = told;
  co_return co_await inner_.events({&piece, 1});
}

Task<GenerateSink::Outcome> GenerateSink::end(std::string_view last) {
  if (form_ == Form::stream) {
    co_return co_await inner_.end(done_event);
  }
  if (form_ == Form::as_it_is) {
    co_return co_await inner_.end(last);
  }
  if (!collected_.empty()) {
    collected_ += last;
    last = collected_;
  }
  const auto told = openai::generate_reply(last, false);
  if (!told) {
    co_return co_await error(
        {.error = {.code = Code::upstream_malformed, .message = "The provider's answer is no JSON."}});
  }
  tell_head(told->size());
  co_return co_await inner_.end(*told);
}

Task<GenerateSink::Outcome> GenerateSink::error(const gateway::Failure& failure) {
  return inner_.error(failure);
}

}  // namespace weir::api
