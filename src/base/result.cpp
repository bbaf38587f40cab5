#include "base/result.hpp"

namespace weir {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::invalid_request: return "invalid_request";
    case Code::model_required: return "model_required";
    case Code::model_not_found: return "model_not_found";
    case Code::not_found: return "not_found";
    case Code::method_not_allowed: return "method_not_allowed";
    case Code::conflict: return "conflict";
    case Code::request_timeout: return "request_timeout";
    case Code::length_required: return "length_required";
    case Code::body_too_large: return "body_too_large";
    case Code::head_too_large: return "head_too_large";
    case Code::expectation_failed: return "expectation_failed";
    case Code::unsupported_encoding: return "unsupported_encoding";
    case Code::not_implemented: return "not_implemented";
    case Code::version_unsupported: return "version_unsupported";
    case Code::rate_limited: return "rate_limit_exceeded";
    case Code::quota_exhausted: return "quota_exhausted";
    case Code::budget_busy: return "budget_busy";
    case Code::price_unknown: return "price_unknown";
    case Code::forbidden: return "insufficient_permissions";
    case Code::unauthenticated: return "invalid_api_key";
    case Code::missing_api_key: return "missing_api_key";
    case Code::inactive_api_key: return "inactive_api_key";
    case Code::expired_api_key: return "expired_api_key";
    case Code::ip_not_allowed: return "ip_not_allowed";
    case Code::endpoint_not_allowed: return "endpoint_not_allowed";
    case Code::model_not_allowed: return "model_not_allowed";
    case Code::overloaded: return "server_is_overloaded";
    case Code::queue_full: return "queue_full";
    case Code::shutting_down: return "shutting_down";
    case Code::store_unavailable: return "store_unavailable";
    case Code::internal: return "internal_error";
    case Code::end_of_stream: return "end_of_stream";
    case Code::reset: return "reset";
    case Code::refused: return "refused";
    case Code::unreachable: return "unreachable";
    case Code::timeout: return "timeout";
    case Code::cancelled: return "cancelled";
    case Code::io_error: return "io_error";
    case Code::upstream_unreachable: return "upstream_unreachable";
    case Code::upstream_timeout: return "upstream_timeout";
    case Code::upstream_malformed: return "upstream_malformed";
    case Code::upstream_broken: return "upstream_broken";
    case Code::upstream_error: return "upstream_error";
    case Code::upstream_credentials: return "upstream_credentials";
    case Code::upstream_certificate: return "upstream_certificate";
    case Code::upstream_unavailable: return "upstream_unavailable";
  }
  return "internal_error";
}

}  // namespace weir
