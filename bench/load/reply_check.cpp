#include "load/reply_check.hpp"

namespace weir::load {

void ReplyCheck::begin(TimePoint due) {
  parser_.reset();
  reader_.reset();
  due_ = due;
  data_events_ = 0;
  done_ = error_event_ = after_done_ = false;
  first_byte_ = last_byte_ = 0;
}

ReplyCheck::Verdict ReplyCheck::take(std::string_view bytes, TimePoint now) {
  events_in_this_read_ = 0;
  while (true) {
    auto piece = parser_.next(bytes);
    switch (piece.kind) {
      case ReplyParser::Piece::Kind::need_more: return Verdict::unfinished;
      case ReplyParser::Piece::Kind::malformed: return fail(Fault::framing);
      case ReplyParser::Piece::Kind::body: take_body(piece.bytes, now); break;
      case ReplyParser::Piece::Kind::complete: return bytes.empty() ? finish() : fail(Fault::framing);
    }
  }
}

void ReplyCheck::take_body(std::string_view bytes, TimePoint now) {
  report_.body_bytes += bytes.size();
  if (parser_.status() != options_.status_expected) {
    return;
  }
  if (options_.stream) {
    while (auto event = reader_.next(bytes)) {
      take_event(*event, now);
    }
    return;
  }
  first_byte_ = first_byte_ == 0 ? bytes.front() : first_byte_;
  auto last = bytes.find_last_not_of(" \r\n");
  last_byte_ = last == std::string_view::npos ? last_byte_ : bytes[last];
}

void ReplyCheck::take_event(std::string_view event, TimePoint now) {
  auto kind = kind_of(event);
  if (kind == EventKind::comment) {
    return;
  }
  after_done_ = after_done_ || done_;
  if (data_events_ == 0) {
    report_.first_event.record(now - due_);
  } else {
    report_.gap.record(now - last_event_);
  }
  last_event_ = now;
  ++report_.events;
  report_.shared_reads += events_in_this_read_ > 0;
  ++events_in_this_read_;
  if (auto sent = sent_at(event)) {
    report_.transit.record(now.time_since_epoch() - *sent);
  }
  data_events_ += kind == EventKind::data;
  done_ = done_ || kind == EventKind::done;
  error_event_ = error_event_ || kind == EventKind::error;
}

ReplyCheck::Verdict ReplyCheck::finish() {
  if (parser_.status() != options_.status_expected) {
    return fail(Fault::status);
  }
  if (!options_.stream) {
    return first_byte_ == '{' && last_byte_ == '}' ? Verdict::complete : fail(Fault::body);
  }
  if (error_event_) {
    return fail(Fault::error_event);
  }
  bool right_number = !options_.events_expected || data_events_ == *options_.events_expected;
  return done_ && !after_done_ && !reader_.in_event() && right_number ? Verdict::complete : fail(Fault::body);
}

ReplyCheck::Verdict ReplyCheck::fail(Fault fault) {
  fault_ = fault;
  return Verdict::failed;
}

}  // namespace weir::load
