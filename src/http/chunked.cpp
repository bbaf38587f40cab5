#include "http/chunked.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"
#include "http/characters.hpp"

namespace weir::http {

bool ChunkedDecoder::fail(const char* reason) {
  reason_ = reason;
  state_ = State::failed;
  return false;
}

bool ChunkedDecoder::take_trailer(char c) {
  if (++trailer_bytes_ > trailer_bytes_max) {
    return fail("the trailers behind the chunked body are too large");
  }
  switch (state_) {
    case State::trailer_first:
      if (c == '\r') {
        state_ = State::last_lf;
        return true;
      }
      state_ = State::trailer_name;
      return is_in(c, characters::token) || fail("a trailer name is empty or has a character that is not allowed");
    case State::trailer_name:
      if (c == ':') {
        state_ = State::trailer_value;
        return true;
      }
      return is_in(c, characters::token) || fail("a trailer name has a character that is not allowed");
    case State::trailer_value:
      if (c == '\r') {
        state_ = State::trailer_lf;
        return true;
      }
      return !is_control(c) || fail("a trailer value has a control character");
    case State::trailer_lf:
      state_ = State::trailer_first;
      return c == '\n' || fail("a CR stands without its LF behind a trailer");
    default:
      state_ = State::done;
      return c == '\n' || fail("a CR stands without its LF at the end of the chunked body");
  }
}

bool ChunkedDecoder::take(char c) {
  switch (state_) {
    case State::size_first:
    case State::size: {
      if (const int digit = hex_value(c); digit >= 0) {
        if (digits_ == size_digits_max) {
          return fail("a chunk size has more than 16 digits");
        }
        ++digits_;
        left_ = left_ << 4U | static_cast<std::uint64_t>(digit);
        state_ = State::size;
        return true;
      }
      if (state_ == State::size && c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if (state_ == State::size && c == ';') {
        state_ = State::extension;
        return true;
      }
      return fail("a chunk size is not a hexadecimal number");
    }
    case State::extension:
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if (++extension_bytes_ > extension_bytes_max) {
        return fail("the chunk extensions are too large");
      }
      return !is_control(c) || fail("a chunk extension has a control character");
    case State::size_lf:
      digits_ = 0;
      state_ = left_ == 0 ? State::trailer_first : State::payload;
      return c == '\n' || fail("a CR stands without its LF behind a chunk size");
    case State::payload_cr:
      state_ = State::payload_lf;
      return c == '\r' || fail("a chunk is longer than its size says");
    case State::payload_lf:
      state_ = State::size_first;
      return c == '\n' || fail("a CR stands without its LF behind a chunk");
    default: return take_trailer(c);
  }
}

ChunkedDecoder::Step ChunkedDecoder::next(std::string_view bytes) {
  std::size_t used = 0;
  for (;;) {
    if (state_ == State::done) {
      return {.kind = Kind::done, .consumed = used};
    }
    if (state_ == State::failed) {
      return {.kind = Kind::error, .consumed = used};
    }
    if (used == bytes.size()) {
      return {.kind = Kind::need_more, .consumed = used};
    }
    if (state_ == State::payload) {
      const std::string_view rest = bytes.substr(used);
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
      left_ -= size;
      used += size;
      if (left_ == 0) {
        state_ = State::payload_cr;
        // A chunk mostly comes whole: taking its line end at once saves the caller a step. What is wrong there waits
        // for the next step, so that this payload is given whatever the cut.
        if (rest.size() >= size + 2 && rest[size] == '\r' && rest[size + 1] == '\n') {
          state_ = State::size_first;
          used += 2;
        }
      }
      return {.kind = Kind::payload, .consumed = used, .payload = rest.substr(0, size)};
    }
    take(bytes[used]);
    ++used;
  }
}

std::size_t append_chunk_head(char* out, std::size_t size) {
  WEIR_ASSERT(size != 0, "an empty chunk would end the body");
  const std::size_t digits = (static_cast<std::size_t>(std::bit_width(size)) + 3) / 4;
  for (std::size_t i = digits; i-- > 0; size >>= 4U) {
    out[i] = "0123456789abcdef"[size & 15U];
  }
  out[digits] = '\r';
  out[digits + 1] = '\n';
  return digits + 2;
}

}  // namespace weir::http
