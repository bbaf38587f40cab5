// The request target: its parts, percent-decoding, segments and query parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

/// RFC 9112 section 3.2. The fourth form, authority, belongs to CONNECT, which is refused.
enum class TargetForm : std::uint8_t { origin, absolute, asterisk };

/// A request target taken apart. Views into the text it was made from, or into static storage for an absolute target
/// without a path, whose path is "/".
struct Target {
  TargetForm form = TargetForm::origin;
  std::string_view path;       // begins with "/", still escaped; "*" for the asterisk form
  std::string_view query;      // after the first "?", still escaped, never interpreted here
  bool has_query = false;      // tells "/a?" from "/a"
  std::string_view authority;  // absolute form only: host and port, which replace the Host field (RFC 9112 3.2.2)
};

/// Takes `text` apart; nothing where it is no origin-form, absolute-form (http or https, without user information) or
/// asterisk-form target, or has a character that may not stand in one: blanks, controls, '"', '#', '<', '>', bytes from
/// 0x80. Escapes are not looked at: percent_decode() judges them where somebody needs the decoded text.
std::optional<Target> split_target(std::string_view text);

/// True for host [":" port] with a DNS name, an IPv4 address or an IPv6 address in brackets. Of what RFC 3986 allows,
/// sub-delimiters and escapes are refused: no DNS name has them, and a "," tells of two Host fields joined into one.
bool is_valid_authority(std::string_view text);

/// Appends `text` with its escapes resolved. False, with `out` as it was, where an escape is cut or not two hex
/// digits, or stands for a control character (so no decoded text carries NUL, CR or LF). "+" stays "+".
bool percent_decode(std::string_view text, std::string& out);

/// The segments of a path, one per call, still escaped: "/v1/models/a%2Fb" gives "v1", "models", "a%2Fb". Decode after
/// splitting, never before: an escaped slash belongs to its segment. "/" and "/a/" give a last, empty segment.
class PathSegments {
 public:
  explicit PathSegments(std::string_view path) : rest_(path) {}
  /// The next segment; nothing at the end.
  std::optional<std::string_view> next();
  /// What next() has not given yet, with its leading slash.
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// True where a segment is "." or "..", escaped or not: such a path means another than it shows, so it is refused
/// rather than normalised.
bool has_dot_segment(std::string_view path);

/// The value of the first parameter of that name, still escaped; empty text for "name" and "name="; nothing where it
/// is absent. Names are compared as they are spelt.
std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name);

}  // namespace weir::http
