#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/credential.hpp"
#include "dialects/openai/request.hpp"
#include "gateway/endpoint.hpp"
#include "gateway/principal.hpp"
#include "http/headers.hpp"
#include "observe/trace_context.hpp"
#include "platform/clock.hpp"
#include "platform/recycled_memory.hpp"
#include "routing/policy.hpp"

namespace weir::gateway {

/// What one caller asks for, whatever it came in through. The body can be replayed: it stays where it is for the whole
/// call, charged to the byte budget of whoever made the call.
struct Call {
  const Endpoint& endpoint;
  std::string id;           // ours, the response's x-weir-request-id
  std::string_view body;    // validated; lives as long as the call
  openai::Request request;  // what was read of the body
  /// Why the body cannot be used. The call is refused with it, but as a call: once its caller is known, and with its
  /// record.
  struct Unusable {
    Error error;
    std::string reply;  // in the caller's dialect, where that says more than the error; may be empty
  };
  std::optional<Unusable> unusable;
  RecycledVector<http::Header> headers;  // the caller's that pass to a provider; views that live as long as the call
  std::string_view query;                // passed on, still escaped
  std::string client;                    // address
  std::string client_request_id;         // the caller's own x-request-id
  std::optional<observe::TraceContext> trace;  // the caller's, if he sent a valid one
  std::string_view mock;                       // the header x-mock
  bool mock_asked = false;
  auth::Credential credential;  // as the caller sent it; a call that brings none is refused where one is needed
  Principal principal;          // set by Exchange::authenticate
  platform::Instant started;    // its first byte
  platform::Instant received;   // its last byte
  // Weir's own question to this target and nobody else; null: a caller's. As long-lived as the call.
  const routing::Target* probe = nullptr;

  /// What is asked for: an endpoint without one never becomes a call.
  [[nodiscard]] const openai::Operation& operation() const { return *endpoint.operation; }
};

}  // namespace weir::gateway
