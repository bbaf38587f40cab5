#include "dialects/openai/errors.hpp"

#include <algorithm>

#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

constexpr std::string_view invalid_request = "invalid_request_error";
constexpr std::string_view server_error = "server_error";
constexpr std::string_view unavailable = "service_unavailable_error";

std::optional<std::string_view> unless_empty(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

void append_string_or_null(std::string& out, std::optional<std::string_view> text) {
  if (text) {
    text::append_json_string(out, *text);
  } else {
    out += "null";
  }
}

void append_error(std::string& out, std::string_view message, std::string_view type,
                  std::optional<std::string_view> param, std::optional<std::string_view> code) {
  out += R"({"error":{"message":)";
  text::append_json_string(out, message);
  out += R"(,"type":)";
  text::append_json_string(out, type);
  out += R"(,"param":)";
  append_string_or_null(out, param);
  out += R"(,"code":)";
  append_string_or_null(out, code);
  out += "}}";
}

/// The text of a string, the spelling of a number, nothing of anything else.
std::string words_of(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::string: return text::unescape_lossy(value.string_raw());
    case JsonKind::number: return std::string(value.raw);
    default: return {};
  }
}

bool is_falsy(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::null: return true;
    case JsonKind::boolean: return !value.is_true();
    case JsonKind::string: return text::is_empty(value);
    case JsonKind::number: return text::to_double(value) == 0.0;
    case JsonKind::object:
    case JsonKind::array: return false;
  }
  return false;
}

}  // namespace

std::string error_body(std::string_view message, std::string_view type, std::optional<std::string_view> param,
                       std::optional<std::string_view> code) {
  std::string out;
  append_error(out, message, type, param, code);
  return out;
}

std::string error_event(std::string_view message, std::string_view type, std::optional<std::string_view> param,
                        std::optional<std::string_view> code) {
  std::string out = "data: ";
  append_error(out, message, type, param, code);
  out += "\n\n";
  return out;
}

ErrorShape shape_of(Code code) {
  switch (code) {
    case Code::invalid_request: return {400, invalid_request, ""};
    case Code::model_required: return {400, invalid_request, "model_required"};
    case Code::model_not_found: return {404, invalid_request, "model_not_found"};
    case Code::not_found: return {404, invalid_request, ""};
    case Code::method_not_allowed: return {405, invalid_request, "method_not_supported"};
    case Code::conflict: return {409, invalid_request, "conflict"};
    case Code::request_timeout: return {408, server_error, "request_timeout"};
    case Code::length_required: return {411, invalid_request, "length_required"};
    case Code::body_too_large: return {413, invalid_request, "body_too_large"};
    case Code::head_too_large: return {431, invalid_request, "head_too_large"};
    case Code::expectation_failed: return {417, invalid_request, "expectation_failed"};
    case Code::unsupported_encoding: return {415, invalid_request, "unsupported_encoding"};
    case Code::not_implemented: return {501, invalid_request, "not_implemented"};
    case Code::version_unsupported: return {505, invalid_request, "version_unsupported"};
    case Code::forbidden: return {403, invalid_request, "insufficient_permissions"};
    case Code::unauthenticated: return {401, invalid_request, "invalid_api_key"};
    case Code::rate_limited: return {429, "rate_limit_error", "rate_limit_exceeded"};
    case Code::quota_exhausted: return {402, "insufficient_quota", "quota_exhausted"};
    case Code::budget_busy: return {429, "rate_limit_error", "budget_busy"};
    case Code::price_unknown: return {403, invalid_request, "price_unknown"};
    case Code::missing_api_key: return {401, invalid_request, "missing_api_key"};
    case Code::inactive_api_key: return {401, invalid_request, "inactive_api_key"};
    case Code::expired_api_key: return {401, invalid_request, "expired_api_key"};
    case Code::ip_not_allowed: return {403, invalid_request, "ip_not_allowed"};
    case Code::endpoint_not_allowed: return {403, invalid_request, "endpoint_not_allowed"};
    case Code::model_not_allowed: return {403, invalid_request, "model_not_allowed"};
    case Code::overloaded: return {503, unavailable, "server_is_overloaded"};
    case Code::queue_full: return {429, "rate_limit_error", "queue_full"};
    case Code::shutting_down: return {503, unavailable, "shutting_down"};
    case Code::store_unavailable: return {503, unavailable, "store_unavailable"};
    case Code::internal: return {500, server_error, "internal_error"};
    case Code::upstream_unreachable: return {502, server_error, "upstream_unreachable"};
    case Code::upstream_timeout: return {504, server_error, "upstream_timeout"};
    case Code::upstream_malformed: return {502, server_error, "upstream_malformed"};
    case Code::upstream_broken: return {502, server_error, "upstream_broken"};
    case Code::upstream_error: return {502, server_error, "upstream_error"};
    case Code::upstream_credentials: return {502, server_error, "upstream_credentials"};
    case Code::upstream_certificate: return {502, server_error, "upstream_certificate"};
    case Code::upstream_unavailable: return {503, unavailable, "upstream_unavailable"};
    // Where a wait ended says nothing about whose side failed. Whoever waited turns these into one of the codes above;
    // what slips through is our own fault.
    case Code::end_of_stream:
    case Code::reset:
    case Code::refused:
    case Code::unreachable:
    case Code::timeout:
    case Code::cancelled:
    case Code::io_error: return {500, server_error, "internal_error"};
  }
  return {500, server_error, "internal_error"};
}

std::string error_body(const Error& error) {
  const ErrorShape shape = shape_of(error.code);
  return error_body(error.message, shape.type, std::nullopt, unless_empty(shape.code));
}

std::string error_event(const Error& error) {
  const ErrorShape shape = shape_of(error.code);
  return error_event(error.message, shape.type, std::nullopt, unless_empty(shape.code));
}

std::string error_body(const RequestError& error) {
  return error_body(error.message, invalid_request, unless_empty(error.param), unless_empty(error.code));
}

std::optional<std::string> error_object_of(std::string_view body) {
  if (!text::scan_object(body, [](const JsonMember&) {})) {
    return std::nullopt;
  }
  const auto error = text::find_member(body, "error");
  if (!error || error->kind != JsonKind::object) {
    return std::nullopt;
  }
  std::string out = R"({"error":)";
  out.append(error->raw).append("}");
  // Line ends stand between its members only; inside of strings they are escaped.
  std::ranges::replace_if(out, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return out;
}

std::optional<ReportedError> read_error(const JsonValue& value, std::string_view whole) {
  if (is_falsy(value)) {
    return std::nullopt;
  }
  ReportedError error;
  error.span = text::Span::within(whole, value.raw);
  if (value.kind != JsonKind::object) {
    error.message = words_of(value);
    return error;
  }
  text::for_each_member(value.raw, [&](const JsonMember& member) {
    if (text::key_equals(member, "message")) {
      error.message = words_of(member.value);
    } else if (text::key_equals(member, "type")) {
      error.type = words_of(member.value);
    } else if (text::key_equals(member, "code")) {
      error.code = words_of(member.value);
    }
  });
  return error;
}

}  // namespace weir::openai
