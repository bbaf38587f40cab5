// Request and response heads of HTTP/1.1, strict by construction: what two parsers could read in two ways is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/head.hpp"

namespace weir::http {

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
