#include "text/json_scan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.hpp"
#include "text/byte_search.hpp"
#include "text/stop_finder.hpp"
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
    : begin_(document.data()),
      at_(document.data()),
      end_(document.data() + document.size()),
      stops_(begin_, end_),
      depth_max_(depth_max) {
  WEIR_ASSERT(depth_max <= json_depth_limit, "the scanner's stack has a fixed size");
}

const char* Scanner::fail(const char* at, const char* what) {
  return fail_at(at, at == end_ ? "the document ends too early" : what);
}

const char* Scanner::fail_at(const char* at, const char* what) {
  failed_ = true;
  error_ = {static_cast<std::size_t>(at - begin_), what};
  return nullptr;
}

/// Most documents have none or one space between tokens.
inline const char* skip_white_space(const char* at, const char* end) {
  return at != end && static_cast<unsigned char>(*at) <= ' ' ? behind_white_space(at, end) : at;
}

/// Whether `wanted` comes next. Steps over the white space before it, which most documents do not have.
inline bool is_next(const char*& at, const char* end, char wanted) {
  if (at != end && *at == wanted) {
    return true;
  }
  at = skip_white_space(at, end);
  return at != end && *at == wanted;
}

/// From behind a backslash to behind its escape; null after an error.
const char* Scanner::read_escape(const char* at) {
  if (at == end_) {
    return fail(at, "");
  }
  switch (*at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return at + 1;
    case 'u':
      ++at;
      for (int i = 0; i < 4; ++i, ++at) {
        if (at == end_ || !is_hex_digit(*at)) {
          return fail(at, "\\u needs four hexadecimal digits");
        }
      }
      return at;
    default: return fail(at, "no such escape in a string");
  }
}

/// From behind the opening quote to the closing one; null after an error.
inline const char* Scanner::read_string(const char* at, bool& has_escapes) {
  has_escapes = false;
  for (;;) {
    at = stops_.next(at);
    if (at == end_) {
      return fail(at, "");
    }
    if (*at == '"') {
      return at;
    }
    if (*at != '\\') {
      return fail(at, "a control character in a string must be escaped");
    }
    has_escapes = true;
    at = read_escape(at + 1);
    if (at == nullptr) {
      return nullptr;
    }
  }
}

/// From a member's name to its value; null after an error. Most of a document is names, and a call costs as much as
/// one.
[[gnu::always_inline]] inline const char* Scanner::read_key_and_colon(const char* at, std::string_view& key,
                                                                      bool& has_escapes) {
  if (at == end_ || *at != '"') {
    return fail(at, "a member's name in double quotes is expected");
  }
  const char* begin = at + 1;
  at = read_string(begin, has_escapes);
  if (at == nullptr) {
    return nullptr;
  }
  key = between(begin, at);
  ++at;
  if (!is_next(at, end_, ':')) {
    return fail(at, "a colon is expected");
  }
  return skip_white_space(at + 1, end_);
}

inline const char* Scanner::read_literal(const char* at, std::string_view literal) {
  for (const char c : literal) {
    if (at == end_ || *at != c) {
      return fail(at, "a value is expected");
    }
    ++at;
  }
  return at;
}

inline const char* Scanner::read_number(const char* at) {
  const auto digits = [&] {
    if (at == end_ || !is_digit(*at)) {
      fail(at, "a digit is expected");
      return false;
    }
    while (at != end_ && is_digit(*at)) {
      ++at;
    }
    return true;
  };
  if (*at == '-') {
    ++at;
  }
  if (at != end_ && *at == '0') {
    ++at;  // nothing but a fraction or an exponent may follow; a digit is refused by whoever reads on
  } else if (!digits()) {
    return nullptr;
  }
  if (at != end_ && *at == '.') {
    ++at;
    if (!digits()) {
      return nullptr;
    }
  }
  if (at != end_ && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end_ && (*at == '+' || *at == '-')) {
      ++at;
    }
    return digits() ? at : nullptr;
  }
  return at;
}

/// Reads a value that contains no others. From its first byte to behind its last; null after an error.
[[gnu::always_inline]] inline const char* Scanner::read_scalar(const char* at) {
  switch (const char first = *at) {
    case '"': {
      bool has_escapes = false;
      at = read_string(at + 1, has_escapes);
      return at == nullptr ? nullptr : at + 1;
    }
    case 't': return read_literal(at, "true");
    case 'f': return read_literal(at, "false");
    case 'n': return read_literal(at, "null");
    default: return first == '-' || is_digit(first) ? read_number(at) : fail(at, "a value is expected");
  }
}

/// Reads one value, which lies inside of `depth` containers. From its first byte to behind its last; null after an
/// error.
const char* Scanner::read_value(const char* at, const unsigned depth) {
  std::array<char, json_depth_limit> closers;  // of the containers opened here; written before it is read
  unsigned open = 0;
  char closer = 0;  // of the innermost of them
  std::string_view key;
  bool has_escapes = false;
  for (;;) {
    if (closer == '}') {
      at = read_key_and_colon(at, key, has_escapes);
      if (at == nullptr) {
        return nullptr;
      }
    }
    // A value begins here.
    if (at == end_) {
      return fail(at, "");
    }
    switch (const char first = *at) {
      case '{':
      case '[': {
        if (depth + open == depth_max_) {
          return fail(at, "too many values inside one another");
        }
        const char own_closer = first == '{' ? '}' : ']';
        at = skip_white_space(at + 1, end_);
        if (at != end_ && *at == own_closer) {
          ++at;
          break;
        }
        closers[open++] = closer;
        closer = own_closer;
        continue;
      }
      default: at = read_scalar(at);
    }
    if (at == nullptr) {
      return nullptr;
    }
    // A value ended. Close what ends with it, then go on to the next.
    for (;;) {
      if (open == 0) {
        return at;
      }
      if (is_next(at, end_, ',')) {
        at = skip_white_space(at + 1, end_);
        break;
      }
      if (at == end_ || *at != closer) {
        return fail(
            at, closer == '}' ? "a comma or a closing brace is expected" : "a comma or a closing bracket is expected");
      }
      ++at;
      closer = closers[--open];
    }
  }
}

bool Scanner::read_document() {
  at_ = read_value(skip_white_space(at_, end_), 0);
  return at_ != nullptr && read_end();
}

bool Scanner::enter_object() {
  const char* at = skip_white_space(at_, end_);
  if (failed_) {
    return false;
  }
  if (at == end_ || *at != '{') {
    fail(at, "an object is expected");
    return false;
  }
  if (depth_ == depth_max_) {
    fail(at, "too many values inside one another");
    return false;
  }
  at_ = at + 1;
  ++depth_;
  first_member_ = true;
  return true;
}

bool Scanner::next_name(JsonMember& member) {
  if (failed_) {
    return false;
  }
  const char* at = at_;
  const bool comma = is_next(at, end_, ',');
  if (at != end_ && *at == '}') {
    at_ = at + 1;
    --depth_;
    first_member_ = false;  // of the object around it: this one was a member
    return false;
  }
  if (!first_member_) {
    if (!comma) {
      fail(at, "a comma or a closing brace is expected");
      return false;
    }
    at = skip_white_space(at + 1, end_);
  }
  first_member_ = false;
  at = read_key_and_colon(at, member.key_raw, member.key_has_escapes);
  if (at == nullptr) {
    return false;
  }
  at_ = at;
  return true;
}

bool Scanner::read_value(JsonValue& value) {
  const char* const begin = at_;
  // Most values are scalars, and need not what keeps track of containers.
  const bool scalar = begin != end_ && *begin != '{' && *begin != '[';
  const char* const end = scalar ? read_scalar(begin) : read_value(begin, depth_);
  if (end == nullptr) {
    return false;
  }
  at_ = end;
  value = {kind_of(*begin), between(begin, end)};
  return true;
}

bool Scanner::next_member(JsonMember& member) {
  return next_name(member) && read_value(member.value);
}

bool Scanner::finish() {
  return !failed_ && read_end();
}

bool Scanner::read_end() {
  at_ = skip_white_space(at_, end_);
  if (at_ != end_) {
    fail(at_, "nothing may follow the document");
    return false;
  }
  // Outside of strings the grammar is ASCII, so an ASCII document is UTF-8.
  const std::string_view document = between(begin_, end_);
  if (stops_.non_ascii() && !is_utf8(document)) {
    fail_at(begin_ + first_not_utf8(document), "these bytes are not UTF-8");
    return false;
  }
  return true;
}

namespace {

/// A character of a number, or of one of the three words.
constexpr std::array<bool, 256> scalar_characters = [] {
  std::array<bool, 256> characters{};
  for (const char c : std::string_view("0123456789+-.Eaeflnrstu")) {
    characters[static_cast<unsigned char>(c)] = true;
  }
  return characters;
}();

/// From behind the opening quote of a valid string to its closing quote.
inline const char* closing_quote(const char* at, const char* end, StopFinder& stops, bool& has_escapes) {
  has_escapes = false;
  for (;;) {
    at = stops.next(at);
    if (at == end || *at == '"') {
      return at;
    }
    has_escapes = true;
    at += end - at >= 2 ? 2 : 1;
  }
}

/// From behind the opening bracket of a valid container to behind its closing one.
const char* behind_container(const char* at, const char* end, StopFinder& stops) {
  std::size_t depth = 1;
  while (depth != 0) {
    at = find_structure(at, end);
    if (at == end) {
      return at;
    }
    const char c = *at++;
    if (c == '"') {
      bool has_escapes = false;
      at = closing_quote(at, end, stops, has_escapes);
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
inline const char* behind_value(const char* at, const char* end, StopFinder& stops) {
  if (*at == '"') {
    bool has_escapes = false;
    at = closing_quote(at + 1, end, stops, has_escapes);
    return at != end ? at + 1 : at;
  }
  if (*at == '{' || *at == '[') {
    return behind_container(at + 1, end, stops);
  }
  do {
    ++at;
  } while (at != end && scalar_characters[static_cast<unsigned char>(*at)]);
  return at;
}

}  // namespace

ValidContainer::ValidContainer(std::string_view container)
    : at_(behind_white_space(container.data(), container.data() + container.size())),
      end_(container.data() + container.size()),
      stops_(at_, end_) {
  at_ += at_ != end_ ? 1 : 0;
}

/// Steps to the next item; to the end where there is none.
inline const char* ValidContainer::next_item() const {
  const char* at = skip_white_space(at_, end_);
  if (at != end_ && *at == ',') {
    return skip_white_space(at + 1, end_);
  }
  return at != end_ && *at != '}' && *at != ']' ? at : end_;
}

inline void ValidContainer::take(JsonValue& value, const char* at) {
  at_ = behind_value(at, end_, stops_);
  value = {kind_of(*at), between(at, at_)};
}

bool ValidContainer::next_element(JsonValue& element) {
  const char* const at = next_item();
  if (at == end_) {
    return false;
  }
  take(element, at);
  return true;
}

bool ValidContainer::next_member(JsonMember& member) {
  const char* at = next_item();
  if (at == end_) {
    return false;
  }
  const char* const key = at + 1;
  at = closing_quote(key, end_, stops_, member.key_has_escapes);
  member.key_raw = between(key, at);
  at = at != end_ ? skip_white_space(at + 1, end_) : at;
  at = at != end_ ? skip_white_space(at + 1, end_) : at;  // the colon
  if (at == end_) {
    return false;
  }
  take(member.value, at);
  return true;
}

}  // namespace detail
}  // namespace weir::text
