#include "gateway/keep_alive.hpp"

#include <fmt/format.h>

#include "dialects/openai/stream.hpp"

namespace weir::gateway {

void KeepAlive::start() {
  if (call_.request.stream && core_.relay.keep_alive_after > core_.relay.keep_alive_after.zero()) {
    core_.loop.add_timer(*this, call_.received + core_.relay.keep_alive_after);
  }
}

void KeepAlive::start_again() {
  if (!call_.request.stream || core_.relay.keep_alive_after <= core_.relay.keep_alive_after.zero()) {
    return;
  }
  Timer::unlink();
  amid_answer_ = true;
  begin();  // from here on each event that is delivered looks after the timer
  core_.loop.add_timer(*this, core_.loop.now() + core_.relay.keep_alive_every);
}

void KeepAlive::begin() {
  writing_.emplace(core_.loop, [this](std::string_view task, const std::string& what) {
    core_.log.message(observe::Level::error, "gateway",
                      fmt::format("the task {} of {} ended with an exception: {}", task, call_.id, what));
  });
}

void KeepAlive::on_timer() {
  if (!amid_answer_) {
    begin();
  }
  writing_->spawn("keep-alive", keep_alive());
}

void KeepAlive::send_head() {
  ReplyHead head{.status = 200, .streamed = true, .body_bytes = std::nullopt, .passing = {}, .own = {}};
  head.own.add("content-type", "text/event-stream; charset=utf-8");
  head.own.add("x-weir-request-id", call_.id);
  head.own.add("x-request-id", call_.id);
  sink_.head(head);
  head_sent_ = true;
  record_.status = 200;
}

Task<void> KeepAlive::keep_alive() {
  if (!amid_answer_) {
    send_head();
  }
  constexpr std::string_view event = openai::keep_alive_event;
  while (co_await sink_.events({&event, 1})) {
    record_.keep_alives += amid_answer_ ? 0 : 1;
    const platform::Instant next = core_.loop.now() + core_.relay.keep_alive_every;
    if (co_await platform::sleep(core_.loop, {next, &writing_->cancellation()}) == platform::Wake::cancelled) {
      break;
    }
  }
}

Task<void> KeepAlive::stop() {
  Timer::unlink();
  if (writing_) {
    writing_->cancel();
    co_await writing_->join(platform::never);
  }
}

void KeepAlive::head(const ReplyHead& head) {
  // Before the first keep-alive is begun the timer is all there is; the head that comes now is the call's.
  Timer::unlink();
  if (!head_sent_) {
    sink_.head(head);
  }
}

Task<ReplySink::Outcome> KeepAlive::events(std::span<const std::string_view> events) {
  return writing_ ? events_after(events) : sink_.events(events);
}
Task<ReplySink::Outcome> KeepAlive::end(std::string_view last) {
  return writing_ ? end_after(last) : sink_.end(last);
}
Task<ReplySink::Outcome> KeepAlive::error(const Failure& failure) {
  Timer::unlink();
  return writing_ ? error_after(failure) : sink_.error(failure);
}

Task<ReplySink::Outcome> KeepAlive::events_after(std::span<const std::string_view> events) {
  co_await stop();
  co_return co_await sink_.events(events);
}
Task<ReplySink::Outcome> KeepAlive::end_after(std::string_view last) {
  co_await stop();
  co_return co_await sink_.end(last);
}
Task<ReplySink::Outcome> KeepAlive::error_after(const Failure& failure) {
  co_await stop();
  co_return co_await sink_.error(failure);
}

}  // namespace weir::gateway
