#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace weir {

/// What went wrong, stable and few. One table (`dialects/*/errors.cpp`) maps each to a status and a shape.
enum class Code : std::uint8_t {
  // The caller's side.
  invalid_request,       // 400: what was sent cannot be used
  model_required,        // 400: no model named, and no default_model
  model_not_found,       // 404
  not_found,             // 404: no such endpoint or object
  method_not_allowed,    // 405
  conflict,              // 409: what is there already stands against it
  request_timeout,       // 408: the caller took too long to send
  length_required,       // 411
  body_too_large,        // 413
  head_too_large,        // 431
  expectation_failed,    // 417
  unsupported_encoding,  // 415
  not_implemented,       // 501: a transfer coding that we do not speak
  version_unsupported,   // 505
  forbidden,             // 403
  rate_limited,          // 429: a limit on requests, tokens or calls in flight
  quota_exhausted,       // 402: a budget or quota is spent
  budget_busy,           // 429: what is left of a budget is held by calls that run
  price_unknown,         // 403: a hard budget, and no target with a price
  unauthenticated,       // 401: the key is unknown, or several that differ were sent
  missing_api_key,       // 401
  inactive_api_key,      // 401
  expired_api_key,       // 401
  ip_not_allowed,        // 403: by the key's list of addresses
  endpoint_not_allowed,  // 403: by the key's list
  model_not_allowed,     // 403: by the key's list
  // Ours.
  overloaded,         // 503: out of memory budget or connections
  queue_full,         // 429: every target has as many calls in flight as it may
  shutting_down,      // 503
  store_unavailable,  // 503: what has to be asked cannot be asked now
  internal,           // 500
  // Where a wait ended.
  end_of_stream,  // the peer closed in an orderly way
  reset,          // the peer reset the connection, or it broke
  refused,        // nobody listens there
  unreachable,    // no route, or the name does not resolve
  timeout,        // a deadline of ours passed
  cancelled,      // the caller left, or we are stopping
  io_error,       // files: what the system said
  // The provider's side.
  upstream_unreachable,  // 502
  upstream_timeout,      // 504
  upstream_malformed,    // 502: bytes that break HTTP, SSE, JSON or the dialect
  upstream_broken,       // 502: the answer ended early
  upstream_error,        // 502 or the provider's own status
  upstream_credentials,  // 502: the provider refused our key
  upstream_certificate,  // 502: we refused the provider's certificate
  upstream_unavailable,  // 503: every target failed too often of late and is left alone for now
};

std::string_view to_string(Code code);

struct Error {
  Code code = Code::internal;
  std::string message;         // our words: safe to show to the caller
  std::string upstream_words;  // the provider's words: for logs, never trusted, may be empty
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message, std::string upstream_words = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(upstream_words)});
}

}  // namespace weir
