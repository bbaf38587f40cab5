#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "text/stop_finder.hpp"

/// Checks JSON against RFC 8259 and tells where its parts stand, without building a tree.
///
/// Weir passes the caller's bytes on and changes only a few spans, so what it needs from a document is "is it valid?"
/// and "where is this member?". A DOM answers more than that, costs more, and refuses what the RFC allows: simdjson's
/// refuses 1e999, integers of 30 digits and lone surrogate escapes. All of these are valid here, because what was
/// checked is what is sent.
///
/// No heap allocation, no recursion. Every function is pure and may be called from any thread.
namespace weir::text {

/// A part of a text, by position. It stays right when the text itself is moved, as a view would not.
struct Span {
  std::size_t offset = 0;
  std::size_t length = 0;

  [[nodiscard]] std::size_t end() const { return offset + length; }
  [[nodiscard]] std::string_view of(std::string_view whole) const { return whole.substr(offset, length); }
  /// `part` must be a view into `whole`.
  static Span within(std::string_view whole, std::string_view part) {
    return {static_cast<std::size_t>(part.data() - whole.data()), part.size()};
  }
  friend bool operator==(const Span&, const Span&) = default;
};

enum class JsonKind : std::uint8_t { object, array, string, number, boolean, null };

/// With its article, as it stands in messages: "an object", "a string", "null".
std::string_view to_string(JsonKind kind);

/// Why a document was refused. `offset`: of the first byte that cannot stand where it stands, or the document's size
/// when it ends too early.
struct JsonError {
  std::size_t offset = 0;
  const char* what = "";
};

/// One value of a document. A view: it lives as long as the document's bytes stay where they are.
struct JsonValue {
  JsonKind kind = JsonKind::null;
  std::string_view raw;  // the exact bytes; a string's include its quotes

  /// What stands between the quotes of a string, as sent.
  [[nodiscard]] std::string_view string_raw() const { return raw.substr(1, raw.size() - 2); }
  [[nodiscard]] bool is_true() const { return kind == JsonKind::boolean && raw.size() == 4; }
};

/// One member of an object. A view, like JsonValue.
struct JsonMember {
  std::string_view key_raw;  // between the quotes, as sent
  bool key_has_escapes = false;
  JsonValue value;
};

/// How deep a document may nest, whatever `depth_max` says.
inline constexpr unsigned json_depth_limit = 1024;

/// Validates the whole document: one value, white space around it, UTF-8 throughout, at most `depth_max` containers
/// inside one another.
[[nodiscard]] std::expected<void, JsonError> scan_document(std::string_view document, unsigned depth_max = 512);

namespace detail {

/// The strict scanner: one pass, each byte judged once. After an error everything says false.
class Scanner {
 public:
  explicit Scanner(std::string_view document, unsigned depth_max = 512);

  /// Reads white space, one value, white space, and the end.
  bool read_document();

  /// Reads white space and the brace that opens the document's object, or the value that next_name() left.
  bool enter_object();
  /// The next member of the object that was entered last; false after the last, which leaves that object.
  bool next_member(JsonMember& member);
  /// The same up to its value, which is then either read or, where it is an object, entered.
  bool next_name(JsonMember& member);
  [[nodiscard]] bool at_object() const { return at_ != end_ && *at_ == '{'; }
  /// To be called once next_name() said true.
  bool read_value(JsonValue& value);
  /// Enters the object, and calls `visitor(const JsonMember&)` for each of its members.
  template <std::invocable<const JsonMember&> Visitor>
  void each_member(Visitor&& visitor) {
    if (enter_object()) {
      for (JsonMember member; next_member(member);) {
        visitor(std::as_const(member));
      }
    }
  }
  /// Reads what may follow the object. To be called once all that was entered is left; false after any error.
  bool finish();

  [[nodiscard]] const JsonError& error() const { return error_; }

 private:
  // Each goes on at `at` and says where it stopped; null after an error.
  const char* fail(const char* at, const char* what);
  const char* fail_at(const char* at, const char* what);
  const char* read_string(const char* at, bool& has_escapes);
  const char* read_escape(const char* at);
  const char* read_key_and_colon(const char* at, std::string_view& key, bool& has_escapes);
  const char* read_literal(const char* at, std::string_view literal);
  const char* read_number(const char* at);
  const char* read_scalar(const char* at);
  const char* read_value(const char* at, unsigned depth);
  bool read_end();

  const char* begin_;
  const char* at_;
  const char* end_;
  StopFinder stops_;
  unsigned depth_max_;
  unsigned depth_ = 0;  // how many objects were entered and not left
  bool first_member_ = true;
  bool failed_ = false;
  JsonError error_;
};

/// Walks over the members or elements of a container whose grammar was checked before.
class ValidContainer {
 public:
  /// `container`: an object or array, maybe with white space around it.
  explicit ValidContainer(std::string_view container);
  bool next_member(JsonMember& member);
  bool next_element(JsonValue& element);

 private:
  [[nodiscard]] const char* next_item() const;
  void take(JsonValue& value, const char* at);

  const char* at_;
  const char* end_;
  StopFinder stops_;
};

/// A visitor that returns nothing sees everything; one that returns bool stops the walk with false.
template <class Visitor, class Item>
bool visit(Visitor& visitor, const Item& item) {
  if constexpr (std::is_void_v<std::invoke_result_t<Visitor&, const Item&>>) {
    visitor(item);
    return true;
  } else {
    return visitor(item);
  }
}

}  // namespace detail

/// What scan_object() is made of, for who looks inside of some members in the same pass.
using JsonScanner = detail::Scanner;

/// Validates the whole document as scan_document() does, and demands that it is an object. Calls
/// `visitor(const JsonMember&)` for each of its members, in order. What the visitor saw counts only if the call
/// succeeds: an error may stand behind it.
template <std::invocable<const JsonMember&> Visitor>
[[nodiscard]] std::expected<void, JsonError> scan_object(std::string_view document, Visitor&& visitor,
                                                         unsigned depth_max = 512) {
  detail::Scanner scanner(document, depth_max);
  scanner.each_member(visitor);
  if (!scanner.finish()) {
    return std::unexpected(scanner.error());
  }
  return {};
}

/// Calls `visitor(const JsonMember&)` for each member of `object`, which was validated before. The visitor may return
/// false to stop.
template <std::invocable<const JsonMember&> Visitor>
void for_each_member(std::string_view object, Visitor&& visitor) {
  detail::ValidContainer members(object);
  JsonMember member;
  while (members.next_member(member) && detail::visit(visitor, member)) {
  }
}

/// Calls `visitor(const JsonValue&)` for each element of `array`, which was validated before. The visitor may return
/// false to stop.
template <std::invocable<const JsonValue&> Visitor>
void for_each_element(std::string_view array, Visitor&& visitor) {
  detail::ValidContainer elements(array);
  JsonValue element;
  while (elements.next_element(element) && detail::visit(visitor, element)) {
  }
}

}  // namespace weir::text
