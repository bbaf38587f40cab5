// Request and response heads of HTTP/1.1, and what they mean for the bytes behind them.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/head_fault.hpp"
#include "http/headers.hpp"
#include "http/target.hpp"

namespace weir::http {

enum class Method : std::uint8_t { get, head, post, put, delete_, options, trace, patch, other };

enum class Version : std::uint8_t { http_1_0, http_1_1 };

/// How the bytes after a head are delimited. `until_close` is for responses alone.
enum class BodyFraming : std::uint8_t { none, length, chunked, until_close };

/// A request head. Views point into the bytes that were parsed. Reuse one object per connection: its storage stays.
struct RequestHead {
  Method method = Method::other;
  Version version = Version::http_1_1;
  std::string_view method_text;
  std::string_view target_text;  // as it was sent
  Target target;                 // `path` is what routes
  std::string_view host;         // of an absolute target, else of the Host field; empty in HTTP/1.0 without one
  Headers headers;

  BodyFraming framing = BodyFraming::none;
  std::uint64_t content_length = 0;  // for BodyFraming::length
  bool keep_alive = false;
  bool expect_continue = false;  // the sender waits for "100 Continue" before its body; false where no body comes
  bool upgrade_requested = false;

  void clear();
  /// The bytes moved: every view follows.
  void rebase(const char* from, const char* to);
};

/// A response head. Views point into the bytes that were parsed.
struct ResponseHead {
  Version version = Version::http_1_1;
  std::uint16_t status = 0;
  std::string_view reason;  // may be empty
  Headers headers;

  BodyFraming framing = BodyFraming::none;
  std::uint64_t content_length = 0;  // as announced, also where no body follows (HEAD, 304)
  bool has_content_length = false;
  bool keep_alive = false;  // the connection may carry another exchange once the body has been read to its end

  /// 1xx: not the answer; another head follows. 101 ends HTTP on the connection, and we never ask for it.
  [[nodiscard]] bool is_interim() const { return status >= 100 && status < 200; }
  void clear();
  void rebase(const char* from, const char* to);
};

/// The meaning of a head whose lines are all well formed: host, framing, persistence (RFC 9112 sections 3.2, 6, 9.3).
HeadFault conclude(RequestHead& head);
/// `request_method` is what it answers.
HeadFault conclude(ResponseHead& head, Method request_method);

}  // namespace weir::http
