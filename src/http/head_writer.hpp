// The one place where header fields become bytes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "http/headers.hpp"
#include "platform/recycled_memory.hpp"

namespace weir::http {

/// The usual phrase for a status; empty for one that has none.
std::string_view reason_phrase(unsigned status);

/// The name of a field that weir makes itself, looked at when compiling: a token in lower case, and not one of the
/// fields that say how a message is framed, where it comes from or when it was made: those have their own places.
class OwnName {
 public:
  consteval OwnName(const char* text) : text_(text) {  // NOLINT(google-explicit-constructor): a literal is one
    if (!is_good(text_)) {
      throw "no name of an own field";  // does not compile
    }
  }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  static consteval bool is_good(std::string_view text) {
    for (const char c : text) {
      if (c != to_lower(c)) {
        return false;
      }
    }
    return text.starts_with("x-") ? all_in(text, characters::token)
                                  : text == "content-type" || text == "retry-after" || text == "server-timing";
  }

  std::string_view text_;
};

/// Field lines that are made before the head which they go into: they are good to be sent as they stand.
class FieldLines {
 public:
  void reserve(std::size_t bytes) { text_.reserve(bytes); }
  /// Left out where the value could not stand on one line.
  void add(OwnName name, std::string_view value);
  void add(OwnName name, std::int64_t value);
  /// "x-weir-attempts: 1\r\n" and so on.
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::basic_string<char, std::char_traits<char>, RecycledAllocator<char>> text_;
};

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
  void parsed_field(const Header& header);
  void lines(const FieldLines& lines) { out_.append(lines.text()); }
  void content_length(std::uint64_t length);
  void chunked();

  /// The empty line. What is appended to the buffer from here on is the body.
  void end();

 private:
  std::string& out_;
};

}  // namespace weir::http
