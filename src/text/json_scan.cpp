#include "text/json_scan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.hpp"
#include "text/byte_search.hpp"
#include "text/stop_blocks.hpp"
#include "text/utf8.hpp"

namespace weir::text {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_white_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

const char* behind_white_space(const char* at, const char* end) {
  while (at != end && is_white_space(*at)) {
    ++at;
  }
  return at;
}

/// The kind of a valid value, from its first byte.
JsonKind kind_of(char first) {
  switch (first) {
    case '{': return JsonKind::object;
    case '[': return JsonKind::array;
    case '"': return JsonKind::string;
    case 't':
    case 'f': return JsonKind::boolean;
    case 'n': return JsonKind::null;
    default: return JsonKind::number;
  }
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::string_view to_string(JsonKind kind) {
  switch (kind) {
    case JsonKind::object: return "an object";
    case JsonKind::array: return "an array";
    case JsonKind::string: return "a string";
    case JsonKind::number: return "a number";
    case JsonKind::boolean: return "a boolean";
    case JsonKind::null: return "null";
  }
  return "null";
}

std::expected<void, JsonError> scan_document(std::string_view document, unsigned depth_max) {
  detail::Scanner scanner(document, depth_max);
  if (!scanner.read_document()) {
    return std::unexpected(scanner.error());
  }
  return {};
}

namespace detail {

Scanner::Scanner(std::string_view document, unsigned depth_max)
    : begin_(document.data()), at_(document.data()), end_(document.data() + document.size()), depth_max_(depth_max) {
  WEIR_ASSERT(depth_max <= json_depth_limit, "the scanner's stack has a fixed size");
}

bool Scanner::fail_at(const char* place, const char* what) {
  failed_ = true;
  error_ = {static_cast<std::size_t>(place - begin_), what};
  return false;
}

bool Scanner::fail(const char* what) {
  return fail_at(at_, at_ == end_ ? "the document ends too early" : what);
}

inline void Scanner::skip_white_space() {
  // Most documents have none or one space between tokens.
  if (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ') {
    at_ = behind_white_space(at_, end_);
  }
}

/// From behind a backslash to behind its escape.
inline bool Scanner::read_escape() {
  if (at_ == end_) {
    return fail("");
  }
  switch (*at_) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': ++at_; return true;
    case 'u':
      ++at_;
      for (int i = 0; i < 4; ++i, ++at_) {
        if (at_ == end_ || !is_hex_digit(*at_)) {
          return fail("\\u needs four hexadecimal digits");
        }
      }
      return true;
    default: return fail("no such escape in a string");
  }
}

/// Goes on in a string, 64 bytes at a time: a block is looked at once, however many escapes it has. Ends behind the
/// closing quote (true), at a control character, or where less than a block is left.
inline bool Scanner::read_blocks_of_string() {
  for (;;) {
    const StopBlock block = find_stop_block(at_, end_, non_ascii_);
    at_ = block.at;
    if (block.stops == 0) {
      return false;
    }
    for (std::uint64_t stops = block.stops; stops != 0;) {
      at_ = block.at + std::countr_zero(stops);
      if (*at_ == '"') {
        ++at_;
        return true;
      }
      if (*at_ != '\\') {
        return false;
      }
      ++at_;
      if (!read_escape()) {
        return false;
      }
      const auto read = at_ - block.at;
      stops = read < 64 ? stops & (~std::uint64_t{0} << read) : 0;
    }
    at_ = std::max(at_, block.at + 64);
  }
}

/// From the opening quote to behind the closing one.
inline bool Scanner::read_string(bool& has_escapes) {
  has_escapes = false;
  ++at_;
  for (;;) {
    at_ = find_string_stop(at_, end_, non_ascii_);
    if (at_ == end_) {
      return fail("");
    }
    if (*at_ == '"') {
      ++at_;
      return true;
    }
    if (*at_ != '\\') {
      return fail("a control character in a string must be escaped");
    }
    has_escapes = true;
    ++at_;
    if (!read_escape()) {
      return false;
    }
    if (read_blocks_of_string()) {  // an escape seldom comes alone
      return true;
    }
    if (failed_) {
      return false;
    }
  }
}

inline bool Scanner::read_key_and_colon(std::string_view& key, bool& has_escapes) {
  if (at_ == end_ || *at_ != '"') {
    return fail("a member's name in double quotes is expected");
  }
  const char* begin = at_ + 1;
  if (!read_string(has_escapes)) {
    return false;
  }
  key = between(begin, at_ - 1);
  skip_white_space();
  if (at_ == end_ || *at_ != ':') {
    return fail("a colon is expected");
  }
  ++at_;
  skip_white_space();
  return true;
}

inline bool Scanner::read_literal(std::string_view literal) {
  for (const char c : literal) {
    if (at_ == end_ || *at_ != c) {
      return fail("a value is expected");
    }
    ++at_;
  }
  return true;
}

inline bool Scanner::read_number() {
  const auto digits = [&] {
    if (at_ == end_ || !is_digit(*at_)) {
      return fail("a digit is expected");
    }
    while (at_ != end_ && is_digit(*at_)) {
      ++at_;
    }
    return true;
  };
  if (*at_ == '-') {
    ++at_;
  }
  if (at_ != end_ && *at_ == '0') {
    ++at_;  // nothing but a fraction or an exponent may follow; a digit is refused by whoever reads on
  } else if (!digits()) {
    return false;
  }
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    if (!digits()) {
      return false;
    }
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) {
      ++at_;
    }
    return digits();
  }
  return true;
}

/// Reads one value at `at_`, which lies inside of `depth` containers.
bool Scanner::read_value(const unsigned depth) {
  std::array<char, json_depth_limit> closers;  // of the containers opened here; written before it is read
  unsigned open = 0;
  std::string_view key;
  bool has_escapes = false;
  for (;;) {
    // A value begins here.
    if (at_ == end_) {
      return fail("");
    }
    switch (const char first = *at_) {
      case '"':
        if (!read_string(has_escapes)) {
          return false;
        }
        break;
      case '{':
      case '[': {
        if (depth + open == depth_max_) {
          return fail("too many values inside one another");
        }
        const char closer = first == '{' ? '}' : ']';
        ++at_;
        skip_white_space();
        if (at_ != end_ && *at_ == closer) {
          ++at_;
          break;
        }
        closers[open++] = closer;
        if (first == '{' && !read_key_and_colon(key, has_escapes)) {
          return false;
        }
        continue;
      }
      case 't':
        if (!read_literal("true")) {
          return false;
        }
        break;
      case 'f':
        if (!read_literal("false")) {
          return false;
        }
        break;
      case 'n':
        if (!read_literal("null")) {
          return false;
        }
        break;
      default:
        if (first != '-' && !is_digit(first)) {
          return fail("a value is expected");
        }
        if (!read_number()) {
          return false;
        }
    }
    // A value ended. Close what ends with it, then go on to the next.
    for (;;) {
      if (open == 0) {
        return true;
      }
      skip_white_space();
      const char closer = closers[open - 1];
      if (at_ != end_ && *at_ == ',') {
        ++at_;
        skip_white_space();
        if (closer == '}' && !read_key_and_colon(key, has_escapes)) {
          return false;
        }
        break;
      }
      if (at_ == end_ || *at_ != closer) {
        return fail(closer == '}' ? "a comma or a closing brace is expected"
                                  : "a comma or a closing bracket is expected");
      }
      ++at_;
      --open;
    }
  }
}

bool Scanner::read_document() {
  skip_white_space();
  return read_value(0) && read_end();
}

bool Scanner::enter_object() {
  skip_white_space();
  if (at_ == end_ || *at_ != '{') {
    return fail("an object is expected");
  }
  if (depth_max_ == 0) {
    return fail("too many values inside one another");
  }
  ++at_;
  return true;
}

bool Scanner::next_member(JsonMember& member) {
  skip_white_space();
  if (at_ != end_ && *at_ == '}') {
    ++at_;
    return false;
  }
  if (!first_member_) {
    if (at_ == end_ || *at_ != ',') {
      return fail("a comma or a closing brace is expected");
    }
    ++at_;
    skip_white_space();
  }
  first_member_ = false;
  if (!read_key_and_colon(member.key_raw, member.key_has_escapes)) {
    return false;
  }
  const char* begin = at_;
  if (!read_value(1)) {
    return false;
  }
  member.value = {kind_of(*begin), between(begin, at_)};
  return true;
}

bool Scanner::finish() {
  return !failed_ && read_end();
}

bool Scanner::read_end() {
  skip_white_space();
  if (at_ != end_) {
    return fail("nothing may follow the document");
  }
  // Outside of strings the grammar is ASCII, so an ASCII document is UTF-8.
  const std::string_view document = between(begin_, end_);
  if (non_ascii_ && !is_utf8(document)) {
    return fail_at(begin_ + first_not_utf8(document), "these bytes are not UTF-8");
  }
  return true;
}

namespace {

/// From behind the opening quote of a valid string to its closing quote.
const char* closing_quote(const char* at, const char* end, bool& has_escapes) {
  has_escapes = false;
  for (;;) {
    bool non_ascii = false;
    at = find_string_stop(at, end, non_ascii);
    if (at == end || *at == '"') {
      return at;
    }
    has_escapes = true;
    at += end - at >= 2 ? 2 : 1;
  }
}

/// From behind the opening bracket of a valid container to behind its closing one.
const char* behind_container(const char* at, const char* end) {
  std::size_t depth = 1;
  while (depth != 0) {
    at = find_structure(at, end);
    if (at == end) {
      return at;
    }
    const char c = *at++;
    if (c == '"') {
      bool has_escapes = false;
      at = closing_quote(at, end, has_escapes);
      at += at != end ? 1 : 0;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else {
      --depth;
    }
  }
  return at;
}

/// From the first byte of a valid value to behind its last.
const char* behind_value(const char* at, const char* end) {
  if (*at == '"') {
    bool has_escapes = false;
    at = closing_quote(at + 1, end, has_escapes);
    return at != end ? at + 1 : at;
  }
  if (*at == '{' || *at == '[') {
    return behind_container(at + 1, end);
  }
  while (at != end && *at != ',' && *at != '}' && *at != ']' && !is_white_space(*at)) {
    ++at;
  }
  return at;
}

}  // namespace

ValidContainer::ValidContainer(std::string_view container)
    : at_(behind_white_space(container.data(), container.data() + container.size())),
      end_(container.data() + container.size()) {
  at_ += at_ != end_ ? 1 : 0;
}

/// Steps to the next item; false at the closing bracket.
inline bool ValidContainer::next_item() {
  at_ = behind_white_space(at_, end_);
  if (at_ != end_ && *at_ == ',') {
    at_ = behind_white_space(at_ + 1, end_);
  }
  return at_ != end_ && *at_ != '}' && *at_ != ']';
}

bool ValidContainer::next_element(JsonValue& element) {
  if (!next_item()) {
    return false;
  }
  const char* begin = at_;
  at_ = behind_value(at_, end_);
  element = {kind_of(*begin), between(begin, at_)};
  return true;
}

bool ValidContainer::next_member(JsonMember& member) {
  if (!next_item()) {
    return false;
  }
  const char* key = at_ + 1;
  at_ = closing_quote(key, end_, member.key_has_escapes);
  member.key_raw = between(key, at_);
  at_ += at_ != end_ ? 1 : 0;
  at_ = behind_white_space(at_, end_);
  at_ += at_ != end_ ? 1 : 0;  // the colon
  at_ = behind_white_space(at_, end_);
  return at_ != end_ && next_element(member.value);
}

}  // namespace detail
}  // namespace weir::text
