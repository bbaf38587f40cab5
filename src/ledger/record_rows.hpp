#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/money.hpp"
#include "observe/json_time.hpp"
#include "platform/clock.hpp"
#include "text/json_value.hpp"
#include "text/write_text.hpp"

/// How the members of a record are written in its two forms, for record_forms.cpp alone.
namespace weir::ledger::rows {

using platform::Duration;

inline constexpr std::size_t fixed_bytes_max = 1280;  // keys, punctuation and numbers of one row, with room to spare

/// The JSON string of a text that has something to escape. Gives the place behind.
inline char* write_escaped(char* at, std::string_view value) {
  std::string escaped;
  text::append_json_string(escaped, value);
  return text::write_text(at, escaped);
}

// All that takes a row is inlined, so that the place where it writes stays in a register. In memory it would have to be
// read again after each byte, which could be one of its own.
#pragma clang attribute push(__attribute__((always_inline)), apply_to = function)

/// What both forms of a record have in common: they are written into memory that is large enough, as this is done for
/// every call, so that each member is a few plain copies.
class Bytes {
 public:
  explicit Bytes(char* at) : begin_(at), at_(at) {}
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

  template <std::size_t n>
  void literal(const char (&text)[n]) {
    std::memcpy(at_, text, n - 1);
    at_ += n - 1;
  }
  void bytes(std::string_view text) { at_ = text::write_text(at_, text); }
  void integer(std::integral auto value) { at_ = text::write_integer(at_, value); }
  void quoted(std::string_view value) {
    *at_ = '"';
    at_ = text::write_text(at_ + 1, value);
    *at_++ = '"';
  }
  void string(std::string_view value) {
    if (text::is_plain(value)) {
      quoted(value);
    } else {
      at_ = write_escaped(at_, value);
    }
  }

 protected:
  char* begin_;
  char* at_;
};

/// The record as the JSON object of the log and of the admin API. Keys are literals with their punctuation.
class Object : public Bytes {
 public:
  using Bytes::Bytes;
  static constexpr bool is_object = true;

  template <std::size_t n>
  void text(const char (&key)[n], std::string_view value) {
    literal(key);
    string(value);
  }
  /// A text of our own that needs no escape: an id, a configured path, a word of an enumeration.
  template <std::size_t n>
  void plain(const char (&key)[n], std::string_view value) {
    literal(key);
    quoted(value);
  }
  template <std::size_t n>
  void text_if(const char (&key)[n], std::string_view value) {
    if (!value.empty()) {
      text(key, value);
    }
  }
  template <std::size_t n>
  void number(const char (&key)[n], std::uint64_t value) {
    literal(key);
    integer(value);
  }
  template <std::size_t n>
  void number_if(const char (&key)[n], std::optional<std::int64_t> value) {
    if (value) {
      literal(key);
      integer(*value);
    }
  }
  /// Milliseconds with three decimals, from whole numbers.
  template <std::size_t n>
  void time(const char (&key)[n], Duration value) {
    literal(key);
    at_ = observe::write_milliseconds(at_, value);
  }
  template <std::size_t n>
  void time_if(const char (&key)[n], std::optional<Duration> value) {
    if (value) {
      time(key, *value);
    }
  }
  template <std::size_t n>
  void money(const char (&key)[n], const std::optional<Money>& amount) {
    literal(key);
    if (amount) {
      at_ = amount->write(at_);
    } else {
      literal("null");
    }
  }
  template <std::size_t n>
  void flag(const char (&key)[n], bool value) {
    literal(key);
    bytes(value ? "true" : "false");
  }
  template <std::size_t n>
  void flag_if(const char (&key)[n], bool value) {
    if (value) {
      flag(key, true);
    }
  }
  template <std::size_t n>
  void wall_time(const char (&key)[n], platform::WallTime value) {
    literal(key);
    *at_ = '"';
    at_ = observe::write_rfc3339(at_ + 1, value);
    *at_++ = '"';
  }
  /// A list or an object, which the caller writes; false: there is none, and nothing is to be written.
  template <std::size_t n>
  bool begin_value(const char (&key)[n], bool there_is_one) {
    if (there_is_one) {
      literal(key);
    }
    return there_is_one;
  }
  void end_value() {}
};

/// The record as the array that is kept: see store/call_form.hpp, whose places the members take in the order in which
/// they are written here. What is missing at the end is left out.
class Array : public Bytes {
 public:
  using Bytes::Bytes;
  static constexpr bool is_object = false;

  void text(const auto&, std::string_view value) {
    literal(",");
    string(value);
    present(!value.empty());
  }
  void plain(const auto&, std::string_view value) {
    literal(",");
    quoted(value);
    present(!value.empty());
  }
  void text_if(const auto&, std::string_view value) {
    if (value.empty()) {
      literal(",0");
    } else {
      text("", value);
    }
  }
  void number(const auto&, std::uint64_t value) {
    literal(",");
    integer(value);
    present(value != 0);
  }
  void number_if(const auto&, std::optional<std::int64_t> value) {
    if (value) {
      literal(",");
      integer(*value);
      present(true);
    } else {
      literal(",\"\"");
    }
  }
  void time(const auto&, Duration value) {
    literal(",");
    integer(value.count() / 1000);
    present(value.count() >= 1000 || value.count() <= -1000);
  }
  void time_if(const auto&, std::optional<Duration> value) {
    if (value) {
      time("", *value);
      present(true);
    } else {
      literal(",\"\"");
    }
  }
  void money(const auto&, const std::optional<Money>& amount) {
    literal(",");
    if (amount) {
      at_ = amount->write(at_);
    } else {
      literal("null");
    }
    present(amount.has_value());
  }
  void flag(const auto&, bool value) {
    bytes(value ? ",1" : ",0");
    present(value);
  }
  void flag_if(const auto&, bool value) { flag("", value); }
  void wall_time(const auto&, platform::WallTime value) {
    literal(",");
    integer(std::chrono::floor<std::chrono::milliseconds>(value.time_since_epoch()).count());
    present(true);
  }
  bool begin_value(const auto&, bool there_is_one) {
    bytes(there_is_one ? "," : ",\"\"");
    return there_is_one;
  }
  void end_value() { present(true); }

  /// Behind the last member that is not as if it were missing.
  void end() {
    at_ = present_;
    literal("]");
  }
  void present(bool is) { present_ = is ? at_ : present_; }

  /// Where what stands inside is written, by an Array of its own; then its size.
  [[nodiscard]] char* end_of_all() const { return at_; }
  void skip(std::size_t bytes) { at_ += bytes; }

 private:
  char* present_ = at_;
};

#pragma clang attribute pop

}  // namespace weir::ledger::rows
