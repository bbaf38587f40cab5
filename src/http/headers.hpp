// Header fields as views, with the names that the gateway asks for classified once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "http/characters.hpp"

namespace weir::http {

/// The field names that some part of the gateway asks for. `headers.cpp` holds their spelling.
enum class KnownHeader : std::uint8_t {
  other,
  // Framing and the connection: they concern one hop.
  connection,
  content_length,
  expect,
  host,
  keep_alive,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  // Credentials and cookies.
  api_key,
  authorization,
  cookie,
  set_cookie,
  x_api_key,
  // Who forwarded.
  forwarded,
  via,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_proto,
  x_real_ip,
  // The message.
  accept,
  accept_encoding,
  content_encoding,
  content_type,
  date,
  location,
  origin,
  retry_after,
  retry_after_ms,
  server,
  traceparent,
  tracestate,
  user_agent,
  x_mock,
  x_request_id,
  x_should_retry,
  count_,
};

/// Equal but for the case of ASCII letters.
bool iequals(std::string_view a, std::string_view b);

/// The name's class; `other` for what is not in the list.
KnownHeader classify_header(std::string_view name);

/// The spelling in lower case; empty for `other`.
std::string_view name_of(KnownHeader header);

/// True for the fields that concern one connection and are never relayed (RFC 9110 section 7.6.1). The fields that a
/// `Connection` field names are hop-by-hop too: see `Headers::named_in_connection`.
bool is_hop_by_hop(KnownHeader header);

/// Calls `visit(token)` for each element of a comma-separated list, without its blanks; empty elements are skipped
/// (RFC 9110 section 5.6.1). Stops when `visit` gives false, and then gives false.
template <class Visit>
bool for_each_element(std::string_view list, Visit visit);

/// True where the comma-separated `list` has `token`, whatever its case.
bool list_has(std::string_view list, std::string_view token);

struct Header {
  std::string_view name;   // as it was spelt
  std::string_view value;  // without the blanks at both ends
  KnownHeader known = KnownHeader::other;
};

/// The fields of one head, in their order, repeated ones included.
///
/// Holds views only: the bytes belong to whoever filled it (for a parsed head, the read buffer). The storage is reused
/// by clear(), so a connection allocates for its first messages and then no more. Bound: `fields_max`. Not thread-safe.
class Headers {
 public:
  static constexpr std::size_t fields_max = 128;

  using const_iterator = std::vector<Header>::const_iterator;

  [[nodiscard]] const_iterator begin() const { return fields_.begin(); }
  [[nodiscard]] const_iterator end() const { return fields_.end(); }
  [[nodiscard]] std::size_t size() const { return fields_.size(); }
  [[nodiscard]] bool empty() const { return fields_.empty(); }
  [[nodiscard]] const Header& operator[](std::size_t index) const { return fields_[index]; }

  /// The first field of that name, whatever its case, or nullptr. With a KnownHeader it costs one array read.
  [[nodiscard]] const Header* find(std::string_view name) const;
  [[nodiscard]] const Header* find(KnownHeader known) const;
  /// The first field's value; empty where there is none.
  [[nodiscard]] std::string_view value(std::string_view name) const;
  [[nodiscard]] std::string_view value(KnownHeader known) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  [[nodiscard]] bool has(KnownHeader known) const { return find(known) != nullptr; }
  /// True where a known field stands more than once.
  [[nodiscard]] bool repeated(KnownHeader known) const { return (repeated_ & bit(known)) != 0; }
  /// True where a `Connection` field lists `name`, which makes that field hop-by-hop.
  [[nodiscard]] bool named_in_connection(std::string_view name) const;

  /// False, and nothing added, where `fields_max` are there already.
  bool add(std::string_view name, std::string_view value);
  void clear();

  /// The bytes moved from `from` to `to`: every view follows.
  void rebase(const char* from, const char* to);

 private:
  static constexpr std::size_t known_count = static_cast<std::size_t>(KnownHeader::count_);
  static_assert(known_count <= 64, "repeated_ has one bit for each known header");
  static constexpr std::uint64_t bit(KnownHeader known) { return std::uint64_t{1} << static_cast<unsigned>(known); }

  std::vector<Header> fields_;
  std::array<std::uint8_t, known_count> first_{};  // index + 1 of the first field of each known name; 0 for none
  std::uint64_t repeated_ = 0;
};

template <class Visit>
bool for_each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!element.empty() && !visit(element)) {
      return false;
    }
  }
  return true;
}

}  // namespace weir::http
