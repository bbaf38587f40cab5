// The one place where header fields become bytes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "http/headers.hpp"

namespace weir::http {

/// The usual phrase for a status; empty for one that has none.
std::string_view reason_phrase(unsigned status);

/// Appends a request or response head to a buffer that the caller reuses.
///
/// Text never becomes header: a name that is no token, or a value or target with a character that could end its line,
/// is not written and the call gives false. Nothing is written in part, so leaving such a field out keeps the head
/// whole; a refused first line makes the head useless. No allocation once the buffer has grown. `out` must outlive the
/// writer. Use: one first line, fields, end().
class HeadWriter {
 public:
  explicit HeadWriter(std::string& out) : out_(out) {}

  /// "HTTP/1.1 200 OK". An empty `reason` stands for the usual phrase. False for a status that has not three digits.
  [[nodiscard]] bool status_line(unsigned status, std::string_view reason = {});
  /// "POST /v1/chat/completions HTTP/1.1". The target, maybe in parts, is what goes on the wire, escaped already.
  [[nodiscard]] bool request_line(std::string_view method, std::initializer_list<std::string_view> target);
  [[nodiscard]] bool request_line(std::string_view method, std::string_view target) {
    return request_line(method, {target});
  }

  /// False, and nothing written, where name or value could not stand on one line. Blanks at the ends of the value are
  /// dropped: no recipient would see them.
  bool field(std::string_view name, std::string_view value);
  bool field(KnownHeader known, std::string_view value);
  /// A field that the head parser read: it has checked name and value, so they are copied as they are.
  void parsed_field(const Header& header) { append(header.name, header.value); }
  void content_length(std::uint64_t length);
  void chunked();

  /// The empty line. What is appended to the buffer from here on is the body.
  void end();

 private:
  void append(std::string_view name, std::string_view value);

  std::string& out_;
};

}  // namespace weir::http
