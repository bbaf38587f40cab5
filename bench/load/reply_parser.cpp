#include "load/reply_parser.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace weir::load {
namespace {

constexpr std::size_t head_bytes_max = 64 * 1024;
constexpr std::size_t chunk_line_bytes_max = 1024;

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trimmed(std::string_view text) {
  auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool parse_number(std::string_view text, std::uint64_t& number, int base) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void ReplyParser::reset() {
  state_ = State::head;
  framing_ = Framing::unknown;
  status_ = 0;
  keep_alive_ = true;
  started_ = false;
  left_ = 0;
  partial_.clear();
}

ReplyParser::Piece ReplyParser::next(std::string_view& input) {
  started_ = started_ || !input.empty();
  while (true) {
    switch (state_) {
      case State::head:
        if (!read_head(input)) {
          return {state_ == State::malformed ? Piece::Kind::malformed : Piece::Kind::need_more, {}};
        }
        break;
      case State::sized_body:
        if (left_ == 0) {
          state_ = State::complete;
          break;
        }
        return read_body(input, State::complete);
      case State::chunk_size: {
        if (!read_line(input, chunk_line_bytes_max)) {
          return {state_ == State::malformed ? Piece::Kind::malformed : Piece::Kind::need_more, {}};
        }
        auto size = trimmed(line_.substr(0, line_.find(';')));
        state_ = parse_number(size, left_, 16) ? (left_ == 0 ? State::trailer : State::chunk_data) : State::malformed;
        partial_.clear();
        break;
      }
      case State::chunk_data: return read_body(input, State::chunk_end);
      case State::chunk_end:
        if (!read_line(input, 2)) {
          return {state_ == State::malformed ? Piece::Kind::malformed : Piece::Kind::need_more, {}};
        }
        state_ = line_.empty() ? State::chunk_size : State::malformed;
        partial_.clear();
        break;
      case State::trailer:
        if (!read_line(input, head_bytes_max)) {
          return {state_ == State::malformed ? Piece::Kind::malformed : Piece::Kind::need_more, {}};
        }
        state_ = line_.empty() ? State::complete : State::trailer;
        partial_.clear();
        break;
      case State::complete: return {Piece::Kind::complete, {}};
      case State::malformed: return {Piece::Kind::malformed, {}};
    }
  }
}

ReplyParser::Piece ReplyParser::read_body(std::string_view& input, State after) {
  if (input.empty()) {
    return {Piece::Kind::need_more, {}};
  }
  auto bytes = input.substr(0, std::min<std::uint64_t>(left_, input.size()));
  input.remove_prefix(bytes.size());
  left_ -= bytes.size();
  if (left_ == 0) {
    state_ = after;
  }
  return {Piece::Kind::body, bytes};
}

bool ReplyParser::read_head(std::string_view& input) {
  // The usual case, a whole head in one read, is parsed where it lies.
  auto end = partial_.empty() ? input.find("\r\n\r\n") : std::string_view::npos;
  if (end != std::string_view::npos) {
    auto head = input.substr(0, end + 2);
    input.remove_prefix(end + 4);
    state_ = parse_head(head) ? state_ : State::malformed;
    return state_ != State::malformed;
  }
  auto searched = partial_.size() < 3 ? 0 : partial_.size() - 3;
  auto before = partial_.size();
  partial_.append(input);
  end = partial_.find("\r\n\r\n", searched);
  if (end == std::string::npos) {
    input = {};
    if (partial_.size() > head_bytes_max) {
      state_ = State::malformed;
    }
    return false;
  }
  input.remove_prefix(end + 4 - before);
  state_ = parse_head(std::string_view(partial_).substr(0, end + 2)) ? state_ : State::malformed;
  partial_.clear();
  return state_ != State::malformed;
}

// `head` ends with the CRLF of its last line. Sets the state that follows.
bool ReplyParser::parse_head(std::string_view head) {
  auto end = head.find("\r\n");
  auto line = head.substr(0, end);
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') {
    return false;
  }
  std::uint64_t status = 0;
  if (!parse_number(line.substr(9, 3), status, 10) || status < 100) {
    return false;
  }
  status_ = static_cast<int>(status);
  keep_alive_ = line[7] != '0';
  framing_ = Framing::unknown;
  while ((head = head.substr(end + 2)), !head.empty()) {
    end = head.find("\r\n");
    line = head.substr(0, end);
    auto colon = line.find(':');
    if (colon == std::string_view::npos) {
      return false;
    }
    auto name = line.substr(0, colon);
    auto value = trimmed(line.substr(colon + 1));
    if (same_name(name, "content-length")) {
      if (framing_ != Framing::unknown || !parse_number(value, left_, 10)) {
        return false;
      }
      framing_ = Framing::length;
    } else if (same_name(name, "transfer-encoding")) {
      if (framing_ != Framing::unknown || !same_name(value, "chunked")) {
        return false;
      }
      framing_ = Framing::chunked;
    } else if (same_name(name, "connection")) {
      keep_alive_ = same_name(value, "close") ? false : keep_alive_ || same_name(value, "keep-alive");
    }
  }
  if (status_ < 200) {
    state_ = State::head;  // an interim reply: the final one follows
    return true;
  }
  if (status_ == 204 || status_ == 304) {
    framing_ = Framing::none;
    left_ = 0;
  }
  state_ = framing_ == Framing::chunked ? State::chunk_size : State::sized_body;
  return framing_ != Framing::unknown;
}

// On true `line_` is the line without its end; the caller clears `partial_` when it has used it.
bool ReplyParser::read_line(std::string_view& input, std::size_t bytes_max) {
  auto end = input.find('\n');
  if (end == std::string_view::npos) {
    partial_.append(input);
    input = {};
    if (partial_.size() > bytes_max) {
      state_ = State::malformed;
    }
    return false;
  }
  auto part = input.substr(0, end + 1);
  input.remove_prefix(end + 1);
  if (partial_.empty()) {
    line_ = part;
  } else {
    partial_.append(part);
    line_ = partial_;
  }
  if (line_.size() > bytes_max || !line_.ends_with("\r\n")) {
    state_ = State::malformed;
    return false;
  }
  line_.remove_suffix(2);
  return true;
}

}  // namespace weir::load
