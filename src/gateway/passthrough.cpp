#include "gateway/passthrough.hpp"

namespace weir::gateway {

namespace {

bool is_ours(std::string_view name) {
  constexpr std::string_view prefix = "x-weir-";
  return name.size() >= prefix.size() && http::iequals(name.substr(0, prefix.size()), prefix);
}

/// It is about the place that the caller speaks with, which is weir and not the provider.
bool is_of_origin(const http::Header& header) {
  return header.known == http::KnownHeader::set_cookie ||
         (header.name.size() == 7 && http::iequals(header.name, "alt-svc")) ||
         (header.name.size() == 25 && http::iequals(header.name, "strict-transport-security"));
}

}  // namespace

void select_request_headers(const http::Headers& headers, RecycledVector<http::Header>& out) {
  using http::KnownHeader;
  out.reserve(headers.size());
  const bool connection_lists = headers.has(KnownHeader::connection);
  for (const http::Header& header : headers) {
    switch (header.known) {
      case KnownHeader::host:
      case KnownHeader::content_length:    // written anew: edits change it
      case KnownHeader::content_encoding:  // bodies go up decoded
      case KnownHeader::expect:
      case KnownHeader::accept_encoding:  // identity goes up
      case KnownHeader::cookie:
      case KnownHeader::authorization:
      case KnownHeader::api_key:
      case KnownHeader::x_api_key:
      case KnownHeader::forwarded:
      case KnownHeader::via:
      case KnownHeader::x_forwarded_for:
      case KnownHeader::x_forwarded_host:
      case KnownHeader::x_forwarded_port:
      case KnownHeader::x_forwarded_proto:
      case KnownHeader::x_real_ip:
      case KnownHeader::x_mock:
      case KnownHeader::x_request_id:  // the caller's own is recorded, not passed off as ours
      case KnownHeader::traceparent:   // one per attempt, written anew
      case KnownHeader::origin: continue;
      default: break;
    }
    if (http::is_hop_by_hop(header.known) || (connection_lists && headers.named_in_connection(header.name)) ||
        is_ours(header.name)) {
      continue;
    }
    out.push_back(header);
  }
}

void select_reply_headers(const http::Headers& headers, RecycledVector<http::Header>& out) {
  out.reserve(headers.size());
  const bool connection_lists = headers.has(http::KnownHeader::connection);
  for (const http::Header& header : headers) {
    if (http::is_hop_by_hop(header.known) || header.known == http::KnownHeader::content_length ||
        (connection_lists && headers.named_in_connection(header.name)) || is_ours(header.name) ||
        is_of_origin(header)) {
      continue;
    }
    out.push_back(header);
  }
}

}  // namespace weir::gateway
