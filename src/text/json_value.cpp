#include "text/json_value.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "text/byte_search.hpp"
#include "text/utf8.hpp"

namespace weir::text {
namespace {

constexpr std::string_view replacement_character = "\xef\xbf\xbd";

std::uint32_t hex4(std::string_view digits) {
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

bool is_high_surrogate(std::uint32_t unit) {
  return unit >= 0xd800 && unit <= 0xdbff;
}
bool is_low_surrogate(std::uint32_t unit) {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/// What one escape means, as UTF-8. `size` 0: half of a surrogate pair.
struct Unescaped {
  std::array<char, 4> bytes;
  std::size_t size;
  std::size_t raw_length;

  [[nodiscard]] std::string_view text() const { return {bytes.data(), size}; }
};

Unescaped encode(std::uint32_t point, std::size_t raw_length) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  const auto tail = [&](std::uint32_t value) { return byte(0x80 | (value & 0x3f)); };
  if (point < 0x80) {
    return {{byte(point)}, 1, raw_length};
  }
  if (point < 0x800) {
    return {{byte(0xc0 | (point >> 6)), tail(point)}, 2, raw_length};
  }
  if (point < 0x10000) {
    return {{byte(0xe0 | (point >> 12)), tail(point >> 6), tail(point)}, 3, raw_length};
  }
  return {{byte(0xf0 | (point >> 18)), tail(point >> 12), tail(point >> 6), tail(point)}, 4, raw_length};
}

/// Reads the valid escape that `raw` begins with.
Unescaped read_escape(std::string_view raw) {
  switch (raw[1]) {
    case 'b': return encode('\b', 2);
    case 'f': return encode('\f', 2);
    case 'n': return encode('\n', 2);
    case 'r': return encode('\r', 2);
    case 't': return encode('\t', 2);
    case 'u': break;
    default: return encode(static_cast<unsigned char>(raw[1]), 2);
  }
  const std::uint32_t unit = hex4(raw.substr(2, 4));
  if (is_high_surrogate(unit) && raw.size() >= 12 && raw[6] == '\\' && raw[7] == 'u') {
    const std::uint32_t second = hex4(raw.substr(8, 4));
    if (is_low_surrogate(second)) {
      return encode(0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00), 12);
    }
  }
  if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
    return {{}, 0, 6};
  }
  return encode(unit, 6);
}

enum class Lone { refuse, replace };

std::optional<std::string> unescape_with(std::string_view raw, Lone lone) {
  std::string text;
  text.reserve(raw.size());
  while (!raw.empty()) {
    const std::size_t plain = std::min(raw.find('\\'), raw.size());
    text.append(raw, 0, plain);
    raw.remove_prefix(plain);
    if (raw.empty()) {
      break;
    }
    const Unescaped escape = read_escape(raw);
    if (escape.size == 0 && lone == Lone::refuse) {
      return std::nullopt;
    }
    text.append(escape.size == 0 ? replacement_character : escape.text());
    raw.remove_prefix(escape.raw_length);
  }
  return text;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += digits[byte >> 4];
  out += digits[byte & 0xf];
}

void append_run(std::string& out, std::string_view run, bool valid_utf8) {
  if (valid_utf8) {
    out += run;
    return;
  }
  while (!run.empty()) {
    const std::size_t length = utf8_sequence_length(run);
    out += length == 0 ? replacement_character : run.substr(0, length);
    run.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

template <class Word>
Word word_at(const char* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// True where a byte of the word is a quote, a backslash, a control character or not ASCII.
template <class Word>
bool has_special(Word word) {
  constexpr Word ones = std::numeric_limits<Word>::max() / 0xff;  // 0x01 in each byte
  constexpr Word tops = ones * 0x80;
  const auto has_zero = [](Word of) { return (of - ones) & ~of; };  // in its tops, if anywhere
  return ((word | (word - ones * 0x20) | has_zero(word ^ (ones * '"')) | has_zero(word ^ (ones * '\\'))) & tops) != 0;
}

/// For what is shorter than 16 bytes, as names and numbers are: two words that overlap.
bool is_plain_short(std::string_view text) {
  const char* const at = text.data();
  const std::size_t size = text.size();
  if (size >= sizeof(std::uint64_t)) {
    return !has_special(word_at<std::uint64_t>(at)) && !has_special(word_at<std::uint64_t>(at + size - 8));
  }
  if (size >= sizeof(std::uint32_t)) {
    return !has_special(word_at<std::uint32_t>(at)) && !has_special(word_at<std::uint32_t>(at + size - 4));
  }
  bool non_ascii = false;
  return detail::find_string_stop_by_byte(at, at + size, non_ascii) == at + size && !non_ascii;
}

}  // namespace

bool key_equals_escaped(std::string_view key_raw, std::string_view name) {
  while (!key_raw.empty()) {
    if (key_raw.front() != '\\') {
      if (!name.starts_with(key_raw.front())) {
        return false;
      }
      key_raw.remove_prefix(1);
      name.remove_prefix(1);
      continue;
    }
    const Unescaped escape = read_escape(key_raw);
    if (escape.size == 0 || !name.starts_with(escape.text())) {
      return false;
    }
    key_raw.remove_prefix(escape.raw_length);
    name.remove_prefix(escape.size);
  }
  return name.empty();
}

std::optional<JsonValue> find_member(std::string_view object, std::string_view name) {
  std::optional<JsonValue> found;
  for_each_member(object, [&](const JsonMember& member) {
    if (key_equals(member, name)) {
      found = member.value;
    }
  });
  return found;
}

std::optional<std::string> unescape(std::string_view raw) {
  return unescape_with(raw, Lone::refuse);
}

std::string unescape_lossy(std::string_view raw) {
  return *unescape_with(raw, Lone::replace);
}

bool is_plain(std::string_view text) {
  if (text.size() < 2 * sizeof(std::uint64_t)) {
    return is_plain_short(text);
  }
  const char* end = text.data() + text.size();
  bool non_ascii = false;
  return detail::find_string_stop(text.data(), end, non_ascii) == end && !non_ascii;
}

void append_json_string(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  const char* at = text.data();
  const char* end = at + text.size();
  const bool valid_utf8 = is_utf8(text);
  out.reserve(out.size() + text.size() + 2);
  out += '"';
  while (at != end) {
    bool non_ascii = false;
    const char* stop = detail::find_string_stop(at, end, non_ascii);
    append_run(out, {at, static_cast<std::size_t>(stop - at)}, valid_utf8);
    if (stop == end) {
      break;
    }
    append_escaped(out, *stop);
    at = stop + 1;
  }
  out += '"';
}

std::optional<std::int64_t> to_int64(const JsonValue& value) {
  if (value.kind != JsonKind::number) {
    return std::nullopt;
  }
  const char* end = value.raw.data() + value.raw.size();
  std::int64_t integer = 0;
  constexpr std::size_t always_fits = 18;  // digits
  if (value.raw.size() <= always_fits) {
    const char* at = value.raw.data();
    for (; at != end && *at >= '0' && *at <= '9'; ++at) {
      integer = integer * 10 + (*at - '0');
    }
    if (at == end) {
      return integer;
    }
  }
  const auto [behind, error] = std::from_chars(value.raw.data(), end, integer);
  if (behind == end) {
    return error == std::errc() ? std::optional(integer) : std::nullopt;
  }
  // Spelled with a fraction or an exponent. Above 2^53 a double no longer holds each integer.
  const std::optional<double> number = to_double(value);
  if (!number || std::trunc(*number) != *number || std::abs(*number) > 0x1p53) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*number);
}

std::optional<bool> to_bool(const JsonValue& value) {
  return value.kind == JsonKind::boolean ? std::optional(value.is_true()) : std::nullopt;
}

std::optional<double> to_double(const JsonValue& value) {
  if (value.kind != JsonKind::number) {
    return std::nullopt;
  }
  double number = 0;
  const auto [behind, error] = std::from_chars(value.raw.data(), value.raw.data() + value.raw.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

bool is_empty(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::string: return value.raw.size() == 2;
    case JsonKind::object:
    case JsonKind::array: return value.raw.find_first_not_of(" \t\r\n", 1) == value.raw.size() - 1;
    default: return false;
  }
}

}  // namespace weir::text
