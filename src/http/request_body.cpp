#include "http/request_body.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "http/chunked.hpp"
#include "platform/signal.hpp"

namespace weir::http {

using platform::Until;

namespace {

constexpr std::size_t bytes_per_second = std::size_t{16} * 1024;  // the slowest upload that is waited for
constexpr std::size_t room_at_once = std::size_t{256} * 1024;     // beyond, the buffer doubles as the body comes
constexpr std::size_t decoded_at_once = std::size_t{256} * 1024;  // then the loop's other work has its turn
constexpr std::size_t shown_bytes_max = 64;                       // of what a client calls his coding

/// Until when the body may take, of which `bytes` have come: what was merely announced earns no time.
Until earned(Until until, std::size_t bytes) {
  return {until.deadline + std::chrono::seconds(bytes / bytes_per_second), until.cancellation};
}

std::unexpected<RequestBody::Refusal> interrupted(Code code) {
  if (code == Code::timeout) {
    return std::unexpected(
        RequestBody::Refusal{408, Code::request_timeout, "The request's body did not arrive in time."});
  }
  return std::unexpected(RequestBody::Refusal{});
}

std::unexpected<RequestBody::Refusal> broken(std::string message) {
  return std::unexpected(RequestBody::Refusal{400, Code::invalid_request, std::move(message)});
}

/// Nothing where the body cannot be decoded: an unknown coding, or several on top of each other.
std::optional<ContentCoding> coding_of(const RequestHead& head) {
  if (head.headers.repeated(KnownHeader::content_encoding)) {
    return std::nullopt;
  }
  return parse_content_encoding(head.headers.value(KnownHeader::content_encoding));
}

/// The bytes of a body without their framing, as they come.
class Unframed {
 public:
  Unframed(platform::ByteReader& reader, const RequestHead& head)
      : reader_(reader),
        chunked_(head.framing == BodyFraming::chunked),
        left_(chunked_ ? 0 : static_cast<std::size_t>(head.content_length)) {}

  /// What is there of the body; empty: more has to arrive, or done(), or broken() says why.
  std::string_view bytes() {
    if (!chunked_) {
      return reader_.bytes().substr(0, left_);
    }
    while (piece_bytes_ == 0 && !done_ && broken_.empty()) {
      const std::string_view framed = reader_.bytes();
      const auto step = decoder_.next(framed);
      if (step.kind == ChunkedDecoder::Kind::payload) {
        // The framing in front of the payload is dropped now; the payload, and what the decoder took behind it, when
        // it was used.
        const auto front = static_cast<std::size_t>(step.payload.data() - framed.data());
        piece_bytes_ = step.payload.size();
        behind_piece_ = step.consumed - front - piece_bytes_;
        reader_.consume(front);
        break;
      }
      reader_.consume(step.consumed);
      done_ = step.kind == ChunkedDecoder::Kind::done;
      if (step.kind == ChunkedDecoder::Kind::error) {
        broken_ = decoder_.reason();
      } else if (step.kind == ChunkedDecoder::Kind::need_more) {
        break;
      }
    }
    return reader_.bytes().substr(0, piece_bytes_);
  }
  void consume(std::size_t count) {
    came_ += count;
    (chunked_ ? piece_bytes_ : left_) -= count;
    reader_.consume(piece_bytes_ == 0 ? count + std::exchange(behind_piece_, 0) : count);
  }
  [[nodiscard]] bool done() const { return chunked_ ? done_ : left_ == 0; }
  [[nodiscard]] std::string_view broken() const { return broken_; }
  [[nodiscard]] std::size_t came() const { return came_; }

 private:
  platform::ByteReader& reader_;
  bool chunked_;
  std::size_t left_;  // of a body with a length
  ChunkedDecoder decoder_;
  std::size_t piece_bytes_ =
      0;  // payload that the decoder gave and nobody used yet, at the front of the reader's bytes
  std::size_t behind_piece_ = 0;
  bool done_ = false;
  std::string_view broken_;
  std::size_t came_ = 0;
};

}  // namespace

std::optional<RequestBody::Refusal> RequestBody::check(const RequestHead& head) const {
  if (head.framing == BodyFraming::length && head.content_length > bytes_max_) {
    return Refusal{
        413, Code::body_too_large,
        fmt::format("The request's body has {} bytes; at most {} are accepted.", head.content_length, bytes_max_)};
  }
  if (head.headers.has(KnownHeader::content_encoding) && !coding_of(head)) {
    return Refusal{
        415, Code::unsupported_encoding,
        fmt::format("The request's Content-Encoding `{}` is not accepted; send the body plain or in one of: {}.",
                    head.headers.value(KnownHeader::content_encoding).substr(0, shown_bytes_max),
                    accepted_content_codings)};
  }
  return std::nullopt;
}

Task<RequestBody::Outcome> RequestBody::read(const RequestHead& head, Until until) {
  text_.clear();
  clear();
  share_is_full_ = false;
  if (head.headers.has(KnownHeader::content_encoding) && coding_of(head) != ContentCoding::identity) {
    return read_encoded(head, until);
  }
  if (head.framing == BodyFraming::length) {
    return read_in_place(static_cast<std::size_t>(head.content_length), until);
  }
  return read_chunks(until);
}

Task<RequestBody::Outcome> RequestBody::read_in_place(std::size_t length, Until until) {
  while (true) {
    const std::size_t here = std::min(reader_.bytes().size(), length);
    if (!charge(here)) {
      co_return out_of_memory();
    }
    if (here == length) {
      break;
    }
    // Memory and budget follow what has come.
    reader_.reserve(std::min(length, std::max(2 * here, room_at_once)));
    const auto arrived = co_await reader_.more(here, earned(until, here));
    if (!arrived) {
      co_return interrupted(arrived.error());
    }
  }
  reader_.trim();
  view_ = reader_.bytes().substr(0, length);
  bytes_in_reader_ = length;
  co_return Outcome();
}

Task<RequestBody::Outcome> RequestBody::read_chunks(Until until) {
  ChunkedDecoder decoder;
  while (true) {
    const auto step = decoder.next(reader_.bytes());
    if (step.kind == ChunkedDecoder::Kind::error) {
      co_return broken(fmt::format("The body's chunked framing is broken: {}", decoder.reason()));
    }
    if (step.kind == ChunkedDecoder::Kind::payload) {
      if (text_.size() + step.payload.size() > bytes_max_) {
        co_return too_large();
      }
      if (!charge(text_.size() + step.payload.size())) {
        co_return out_of_memory();
      }
      text_.append(step.payload);
    }
    reader_.consume(step.consumed);
    if (step.kind == ChunkedDecoder::Kind::done) {
      break;
    }
    if (step.kind == ChunkedDecoder::Kind::need_more) {
      const auto arrived = co_await reader_.more(0, earned(until, text_.size()));
      if (!arrived) {
        co_return interrupted(arrived.error());
      }
    }
  }
  finish_text();
  co_return Outcome();
}

/// One limit for what came and for what came out of it. Between two slices the loop's other work has its turn: a body
/// of 32 MiB takes tens of milliseconds to decode.
Task<RequestBody::Outcome> RequestBody::read_encoded(const RequestHead& head, Until until) {
  const ContentCoding coding = coding_of(head).value_or(ContentCoding::identity);
  ContentDecoder decoder(coding, bytes_max_);
  Unframed unframed(reader_, head);
  std::size_t since_pause = 0;
  while (true) {
    const std::string_view bytes = unframed.bytes();
    if (!unframed.broken().empty()) {
      co_return broken(fmt::format("The body's chunked framing is broken: {}", unframed.broken()));
    }
    const std::size_t before = text_.size();
    const std::size_t room = std::clamp(before, std::size_t{16} * 1024, decoded_at_once);
    if (!make_room(before + room, decoder.memory_bytes())) {
      co_return out_of_memory();
    }
    ContentDecoder::Step step;
    text_.resize_and_overwrite(before + room, [&](char* begin, std::size_t) {
      step = decoder.next(bytes, {begin + before, room});
      return before + step.produced;
    });
    unframed.consume(step.consumed);
    if (decoder.too_large() || unframed.came() > bytes_max_) {
      co_return too_large();
    }
    if (!charge(text_.capacity() + decoder.memory_bytes())) {  // its window may have grown
      co_return out_of_memory();
    }
    if (step.kind == ContentDecoder::Kind::error) {
      co_return broken(fmt::format("The body cannot be decoded as its Content-Encoding, {}, says: {}.",
                                   to_string(coding), decoder.reason()));
    }
    since_pause += step.produced;
    if (since_pause >= decoded_at_once) {
      since_pause = 0;
      static_cast<void>(co_await platform::sleep(loop_, {loop_.now(), until.cancellation}));
    }
    if (step.kind == ContentDecoder::Kind::output || !unframed.bytes().empty()) {
      continue;
    }
    if (unframed.done()) {
      break;
    }
    if (!unframed.broken().empty()) {
      continue;  // said above
    }
    const auto arrived = co_await reader_.more(0, earned(until, unframed.came()));
    if (!arrived) {
      co_return interrupted(arrived.error());
    }
  }
  if (!decoder.complete()) {
    co_return broken(fmt::format("The body ends in the middle of its {} data.", to_string(coding)));
  }
  finish_text();
  co_return Outcome();
}

/// Grows the text's memory in large steps, charged before they are made.
bool RequestBody::make_room(std::size_t bytes, std::size_t others) {
  std::size_t capacity = text_.capacity();
  if (capacity < bytes) {
    const std::size_t most = bytes_max_ + decoded_at_once + platform::ByteReader::padding;
    capacity = std::max(bytes + platform::ByteReader::padding, std::min(2 * capacity, most));
  }
  if (!charge(capacity + others)) {
    return false;
  }
  text_.reserve(capacity);
  return true;
}

std::unexpected<RequestBody::Refusal> RequestBody::too_large() const {
  return std::unexpected(
      Refusal{413, Code::body_too_large,
              fmt::format("The request's body has more than the {} bytes that are accepted.", bytes_max_)});
}

std::unexpected<RequestBody::Refusal> RequestBody::out_of_memory() const {
  return std::unexpected(
      Refusal{503, Code::overloaded,
              share_is_full_ ? "The gateway holds as many bytes of requests from this address as one address may have. "
                               "Try again when some "
                               "of them are answered."
                             : "The gateway holds as many request bodies as its memory allows. Try again soon."});
}

void RequestBody::finish_text() {
  text_.reserve(text_.size() + platform::ByteReader::padding);
  view_ = text_;
}

}  // namespace weir::http
