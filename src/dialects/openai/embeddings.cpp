#include "dialects/openai/embeddings.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <vector>

#include "text/base64.hpp"
#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

static_assert(sizeof(float) == 4 && std::endian::native == std::endian::little, "vectors are copied as they lie");

/// The value kind in which a request wants its vectors; nothing where that is between caller and provider.
std::optional<JsonKind> asked_kind(const Request& request) {
  switch (request.encoding_format) {
    case EncodingFormat::absent:
    case EncodingFormat::floats: return JsonKind::array;
    case EncodingFormat::base64: return JsonKind::string;
    case EncodingFormat::other: return std::nullopt;
  }
  return std::nullopt;
}

/// The float32 nearest to a JSON number; nothing where it is too large for one.
std::optional<float> to_float(std::string_view number) {
  float value = 0;
  const char* end = number.data() + number.size();
  const auto read = std::from_chars(number.data(), end, value);
  if (read.ec == std::errc() && read.ptr == end && std::isfinite(value)) {
    return value;
  }
  // Too large or too small: a number next to zero is zero.
  double wide = 0;
  if (std::from_chars(number.data(), end, wide).ec == std::errc()) {
    return std::abs(wide) < 1 ? std::optional(static_cast<float>(wide)) : std::nullopt;
  }
  const std::size_t exponent = number.find_first_of("eE");
  if (exponent != std::string_view::npos && number[exponent + 1] == '-') {
    return number.front() == '-' ? -0.0F : 0.0F;
  }
  return std::nullopt;
}

/// Reads an array of numbers. False where an element is something else: there are servers that send a list of vectors.
bool read_numbers(const JsonValue& array, std::vector<float>& out, std::string_view& wrong) {
  bool numbers_only = true;
  text::for_each_element(array.raw, [&](const JsonValue& element) {
    if (element.kind != JsonKind::number) {
      numbers_only = false;
      return false;
    }
    const auto value = to_float(element.raw);
    if (!value) {
      wrong = "an embedding holds a number that no float32 can hold";
      return false;
    }
    out.push_back(*value);
    return true;
  });
  return numbers_only;
}

void read_base64(const JsonValue& string, std::vector<float>& out, std::string_view& wrong) {
  std::string unescaped;
  std::string_view encoded = string.string_raw();
  if (encoded.contains('\\')) {
    unescaped = text::unescape_lossy(encoded);  // some servers write a slash as "\/"
    encoded = unescaped;
  }
  const auto bytes = text::decode_base64(encoded);
  if (!bytes || bytes->size() % sizeof(float) != 0) {
    wrong = "an embedding is not base64 of float32 numbers";
    return;
  }
  out.resize(bytes->size() / sizeof(float));
  if (!out.empty()) {
    std::memcpy(out.data(), bytes->data(), bytes->size());
  }
  for (const float value : out) {
    if (!std::isfinite(value)) {
      wrong = "an embedding holds a number that JSON cannot express";
      return;
    }
  }
}

}  // namespace

void append_floats(std::string& out, std::span<const float> vector) {
  char separator = '[';
  std::array<char, 32> digits;
  for (const float value : vector) {
    out += separator;
    separator = ',';
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    out.append(digits.data(), written.ptr);
    if (value == 0 && std::signbit(value)) {
      out += ".0";  // "-0" is an integer to Python, and loses its sign
    }
  }
  out += vector.empty() ? "[]" : "]";
}

void append_base64(std::string& out, std::span<const float> vector) {
  std::string bytes(vector.size_bytes(), '\0');
  if (!vector.empty()) {
    std::memcpy(bytes.data(), vector.data(), vector.size_bytes());
  }
  out += '"';
  text::append_base64(out, bytes);
  out += '"';
}

bool has_other_encoding(const Request& request, std::string_view start) {
  const auto asked = asked_kind(request);
  if (!asked) {
    return false;
  }
  // "embedding" stands as a value too (of `object`); as a key a colon follows it. Vectors hold no quotes.
  constexpr std::string_view key = "\"embedding\"";
  for (std::size_t at = start.find(key); at != std::string_view::npos; at = start.find(key, at + 1)) {
    std::size_t next = start.find_first_not_of(" \t\r\n", at + key.size());
    if (next == std::string_view::npos || start[next] != ':') {
      continue;
    }
    next = start.find_first_not_of(" \t\r\n", next + 1);
    return next != std::string_view::npos &&
           ((start[next] == '"' && *asked == JsonKind::array) || (start[next] == '[' && *asked == JsonKind::string));
  }
  return false;
}

std::expected<std::optional<std::string>, std::string_view> in_asked_encoding(const Request& request,
                                                                              std::string_view body) {
  const auto asked = asked_kind(request);
  const auto data = asked ? text::find_member(body, "data") : std::nullopt;
  if (!data || data->kind != JsonKind::array) {
    return std::optional<std::string>();
  }
  std::string converted;
  std::size_t copied = 0;  // of the body
  std::string_view wrong;
  std::vector<float> vector;
  text::for_each_element(data->raw, [&](const JsonValue& item) {
    const auto value = item.kind == JsonKind::object ? text::find_member(item.raw, "embedding") : std::nullopt;
    if (!value || value->kind == *asked || (value->kind != JsonKind::array && value->kind != JsonKind::string)) {
      return true;
    }
    vector.clear();
    if (value->kind == JsonKind::string) {
      read_base64(*value, vector, wrong);
    } else if (!read_numbers(*value, vector, wrong)) {
      return true;  // no vector: as it came
    }
    if (!wrong.empty()) {
      return false;
    }
    const text::Span span = text::Span::within(body, value->raw);
    converted.append(body.substr(copied, span.offset - copied));
    copied = span.end();
    if (*asked == JsonKind::array) {
      append_floats(converted, vector);
    } else {
      append_base64(converted, vector);
    }
    return true;
  });
  if (!wrong.empty()) {
    return std::unexpected(wrong);
  }
  if (copied == 0) {
    return std::optional<std::string>();
  }
  converted.append(body.substr(copied));
  return converted;
}

}  // namespace weir::openai
