#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/json_scan.hpp"

/// From raw JSON to values and back. All of it expects text that json_scan.hpp has validated.
namespace weir::text {

/// True if the key, unescaped, is `name`: "mod\u0065l" is "model". Allocates nothing.
[[nodiscard]] bool key_equals_escaped(std::string_view key_raw, std::string_view name);
[[nodiscard]] inline bool key_equals(const JsonMember& member, std::string_view name) {
  return member.key_has_escapes ? key_equals_escaped(member.key_raw, name) : member.key_raw == name;
}

/// The member of that name; the last one if there are several, as JSON.parse and Python's json read it.
[[nodiscard]] std::optional<JsonValue> find_member(std::string_view object, std::string_view name);

/// The text of a string, from what stands between its quotes. Nothing if it holds half of a surrogate pair, which JSON
/// allows and UTF-8 cannot express.
[[nodiscard]] std::optional<std::string> unescape(std::string_view raw);
/// The same for showing to people: what UTF-8 cannot express becomes U+FFFD.
[[nodiscard]] std::string unescape_lossy(std::string_view raw);

/// True where a JSON string of `text` is the text between quotes: nothing to escape, and ASCII alone.
[[nodiscard]] bool is_plain(std::string_view text);

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD each.
void append_json_string(std::string& out, std::string_view text);

/// The integer that a number means, however it is spelled: 10, 10.0 and 1e1 are ten. Nothing if the value is no
/// number, has a fraction, or does not fit.
[[nodiscard]] std::optional<std::int64_t> to_int64(const JsonValue& value);
[[nodiscard]] std::optional<bool> to_bool(const JsonValue& value);
/// Nothing if the value is no number or too large for a double.
[[nodiscard]] std::optional<double> to_double(const JsonValue& value);

/// True for "", and for [] and {} with or without white space inside.
[[nodiscard]] bool is_empty(const JsonValue& value);

}  // namespace weir::text
