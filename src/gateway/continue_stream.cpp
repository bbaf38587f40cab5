// The relay of an answer that is to go on with one that broke off: held until it has proven itself, and from there on
// passed with the identity of the first.
#include <fmt/format.h>

#include "gateway/attempt.hpp"

namespace weir::gateway {

namespace {

/// The data of an event that stands in one piece.
std::string data_of(std::string_view event, std::size_t bytes_max) {
  http::SseParser parser(bytes_max);
  parser.feed(event);
  const auto parsed = parser.next();
  return parsed && *parsed ? std::string((*parsed)->data) : std::string();
}

/// An event with that data. JSON has no line end but between its tokens.
std::string event_of(std::string_view data) {
  std::string event = "data: ";
  for (const char c : data) {
    event.push_back(c);
    if (c == '\n') {
      event.append("data: ");
    }
  }
  event.append("\n\n");
  return event;
}

}  // namespace

/// The commit point of an answer that goes on with another one: the caller has his head and the first texts.
void Attempt::resume() {
  committed_ = true;
  // How long it took to repeat what had left tells nothing of how quick it is.
  turn_.slot.answered({}, context_.core.loop.now(), false);
  row().first_token = since_start();
  context_.record.recovered_from = std::exchange(context_.record.target, row().target);
}

AttemptResult Attempt::differs(std::string why) {
  AttemptResult result = failed(Code::cancelled, std::move(why));
  row().end_state = ledger::EndState::gateway_error;  // the provider did nothing wrong: weir has no use for its answer
  result.differs = true;
  return result;
}

Task<std::optional<AttemptResult>> Attempt::go_on(std::string_view event) {
  const std::string data = data_of(event, context_.core.relay.event_bytes_max + event.size());
  const Continuation::Verdict verdict = continuation_->take(data);
  row().repeated_bytes = continuation_->same_bytes();
  if (verdict == Continuation::Verdict::hold) {
    co_return std::nullopt;
  }
  if (verdict == Continuation::Verdict::differs) {
    co_return differs(continuation_->why());
  }
  if (!committed_) {
    resume();
  }
  std::vector<std::string> events;
  for (const std::string& passing : continuation_->events()) {
    turn_.delivered->note(passing, nullptr);
    events.push_back(event_of(passing));
  }
  const std::vector<std::string_view> views(events.begin(), events.end());
  for (ReplyTee* tee : context_.core.tees) {
    for (const std::string_view one : views) {
      tee->delivered(context_.call, one);
    }
  }
  if (!co_await context_.sink.events(views)) {
    co_return left();
  }
  co_return std::nullopt;
}

/// `[DONE]` before anything passed: the answer is whole if it is the one that the caller has, and no more.
Task<AttemptResult> Attempt::go_on_to_end(std::string_view last) {
  if (!continuation_->proven()) {
    co_return differs("it ended before it had repeated the text that had left");
  }
  resume();
  for (ReplyTee* tee : context_.core.tees) {
    tee->delivered(context_.call, last);
  }
  if (!co_await context_.sink.end(last)) {
    co_return left();
  }
  co_return complete();
}

}  // namespace weir::gateway
