// Request and response heads of HTTP/1.1, strict by construction: what two parsers could read in two ways is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/headers.hpp"
#include "http/target.hpp"

namespace weir::http {

enum class Method : std::uint8_t { get, head, post, put, delete_, options, trace, patch, other };

enum class Version : std::uint8_t { http_1_0, http_1_1 };

/// How the bytes after a head are delimited. `until_close` is for responses alone.
enum class BodyFraming : std::uint8_t { none, length, chunked, until_close };

/// Why a head is refused. describe() has the words and the status.
enum class HeadFault : std::uint8_t {
  none,
  // Lines.
  bare_line_feed,
  bare_carriage_return,
  blank_lines_first,
  folded_line,
  head_too_large,
  too_many_fields,
  // The first line.
  request_line_too_long,
  bad_request_line,
  bad_method,
  method_refused,
  bad_target,
  bad_version,
  version_unsupported,
  bad_status_line,
  // Fields.
  space_before_colon,
  missing_colon,
  bad_name,
  bad_value,
  // Meaning.
  host_missing,
  host_repeated,
  host_invalid,
  length_invalid,
  length_repeated,
  length_and_coding,
  coding_invalid,
  coding_repeated,
  coding_unknown,
  coding_in_http_1_0,
  connection_invalid,
  expectation_unknown,
  count_,
};

struct FaultDescription {
  std::uint16_t
      status;          // what a server answers; for a response head the fault is the upstream's (502) whatever it says
  const char* reason;  // our words, safe to show
};

FaultDescription describe(HeadFault fault);

struct HeadLimits {
  std::size_t head_bytes_max = 64 * 1024;          // the whole head with its last empty line; beyond: 431
  std::size_t request_line_bytes_max = 16 * 1024;  // without its CRLF; beyond: 414
};

/// How far a head was read. Make one per message; after `done` it is ready for the next message by itself, after an
/// error the connection has no next message.
struct ParseState {
  enum class Stage : std::uint8_t { fresh, first_line, fields };
  Stage stage = Stage::fresh;
  bool blank_line_seen = false;  // before the request line
  std::size_t line = 0;          // where the current line begins
  std::size_t scanned = 0;       // nothing before this needs another look
  std::size_t colon = 0;         // of the current field line; 0: not found yet
  const char* base = nullptr;    // where the bytes were at the last call
};

struct ParseOutcome {
  enum class Kind : std::uint8_t { need_more, done, error };
  Kind kind = Kind::need_more;
  HeadFault fault = HeadFault::none;  // for error
  std::size_t consumed = 0;           // for done: the head's bytes, empty line included; the body begins there

  [[nodiscard]] std::uint16_t status() const { return describe(fault).status; }
  [[nodiscard]] const char* reason() const { return describe(fault).reason; }
};

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

/// Reads a request head from a buffer that grows.
///
/// `bytes` begins with the first byte of the message and holds what has arrived so far; call again with more bytes (the
/// buffer may have moved) and the same `state` and `out` after need_more. `out` is whole only with `done`. Each byte is
/// looked at once, however it was cut, and the cut never changes the outcome. No I/O, no allocation once
/// `out.headers` has grown. The whole head must be kept in place as long as `out` is used.
///
/// One empty line before the request line is skipped (RFC 9112 section 2.2); `consumed` includes it.
/// Source: RFC 9112 (June 2022) sections 2 to 6, RFC 9110 sections 5 to 10. Where they let a recipient repair or guess,
/// this refuses; CONNECT is refused, a version other than 1.0 and 1.1 too.
ParseOutcome parse_request_head(std::string_view bytes, ParseState& state, RequestHead& out,
                                const HeadLimits& limits = {});

/// Reads a response head in the same manner. `request_method` is what it answers: the answer to HEAD has no body.
///
/// The reason phrase and the space before it may be absent. A response with both Content-Length and Transfer-Encoding,
/// with two Content-Length fields (equal or not), or with a transfer coding other than "chunked" is an error: another
/// recipient on the way could have seen another end of the message.
ParseOutcome parse_response_head(std::string_view bytes, ParseState& state, ResponseHead& out, Method request_method,
                                 const HeadLimits& limits = {});

}  // namespace weir::http
