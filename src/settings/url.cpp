#include "settings/url.hpp"

#include "settings/units.hpp"

#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace weir::settings {

namespace {

namespace urls = boost::urls;

constexpr std::size_t unix_path_bytes_max = 107;  // unix(7)

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const auto number = digits ? parse_integer(text) : std::nullopt;
  if (!number || *number > 65'535) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(*number);
}

bool is_host_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
  });
}

Result<Url> parse_unix_url(std::string_view text) {
  constexpr std::string_view scheme = "unix:";
  const std::string_view path = text.substr(scheme.size(), text.find(':', scheme.size()) - scheme.size());
  if (!path.starts_with('/') || path.starts_with("//") || path.ends_with('/') || path.size() > unix_path_bytes_max) {
    return fail(Code::invalid_request,
                fmt::format("is not the address of a Unix socket; write unix:/path/of/the.sock, at most {} bytes, or "
                            "unix:/path/of/the.sock:/v1",
                            unix_path_bytes_max));
  }
  text.remove_prefix(scheme.size() + path.size());
  // The rest is what follows the host in a web address.
  auto url = parse_url("http://localhost" + std::string(text.empty() ? text : text.substr(1)));
  if (!url || url->port != 80 || text == ":" || (text.starts_with(':') && !text.starts_with(":/"))) {
    return fail(Code::invalid_request, "has something behind the socket that is no path; write unix:/the.sock:/v1");
  }
  url->unix_path = path;
  return url;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.starts_with("unix:")) {
    return parse_unix_url(text);
  }
  const bool scheme_known = text.starts_with("http://") || text.starts_with("https://");
  const auto parsed = urls::parse_uri({text.data(), text.size()});
  if (!scheme_known || parsed.has_error() || parsed->host().empty()) {
    return fail(Code::invalid_request, "is not a web address; write http://host:port/path or https://host/path");
  }
  if (parsed->has_userinfo()) {
    return fail(Code::invalid_request, "holds a user name or password; credentials belong into `keys`");
  }
  if (parsed->has_fragment()) {
    return fail(Code::invalid_request, "holds a fragment; scheme, host, port, path and query can stand here");
  }
  Url url;
  url.tls = text.starts_with("https://");
  url.port = url.tls ? 443 : 80;
  if (parsed->has_port() && !parsed->port().empty()) {
    const auto port = parse_port(std::string_view(parsed->port().data(), parsed->port().size()));
    if (!port || *port == 0) {
      return fail(Code::invalid_request, "has a port that is none; allowed: 1 to 65535");
    }
    url.port = *port;
  }
  // The parser decodes %20 and the like in a host; what results must still be one.
  url.host = std::string(parsed->host_address());
  if (!is_host_name(url.host) && !is_address_or_network(url.host)) {
    return fail(Code::invalid_request, "has a host that is neither a name nor an IP address");
  }
  const auto path = parsed->encoded_path();
  url.path = std::string(path.data(), path.size());
  // Boost 1.81 takes "http://x:8o/" for port 8 and path "o/".
  if (!url.path.empty() && !url.path.starts_with('/')) {
    return fail(Code::invalid_request, "is not a web address; write http://host:port/path or https://host/path");
  }
  while (url.path.ends_with('/')) {
    url.path.pop_back();
  }
  const auto query = parsed->encoded_query();
  url.query = std::string(query.data(), query.size());
  return url;
}

Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto port =
      colon == std::string_view::npos || colon + 1 == text.size() ? std::nullopt : parse_port(text.substr(colon + 1));
  if (!port) {
    return fail(Code::invalid_request, "is not host:port; write for example 127.0.0.1:8000");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (urls::parse_ipv6_address({host.data(), host.size()}).has_error()) {
      return fail(Code::invalid_request, "has no IPv6 address between its brackets");
    }
    return HostPort{std::string(host), *port};
  }
  if (host.contains(':')) {
    return fail(Code::invalid_request, "has an IPv6 address without brackets; write for example [::1]:8000");
  }
  if (!host.empty() && !is_host_name(host)) {
    return fail(Code::invalid_request, "has no host before its port; write for example 127.0.0.1:8000");
  }
  return HostPort{std::string(host), *port};
}

bool is_loopback_host(std::string_view host) {
  if (host == "localhost" || host == "::1") {
    return true;
  }
  const auto v4 = urls::parse_ipv4_address({host.data(), host.size()});
  if (v4.has_value()) {
    return v4->is_loopback();
  }
  const auto v6 = urls::parse_ipv6_address({host.data(), host.size()});
  return v6.has_value() && v6->is_loopback();
}

bool is_address_or_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const bool v4 = urls::parse_ipv4_address({address.data(), address.size()}).has_value();
  const bool v6 = urls::parse_ipv6_address({address.data(), address.size()}).has_value();
  if (slash == std::string_view::npos) {
    return v4 || v6;
  }
  const auto bits = parse_port(text.substr(slash + 1));
  return bits && text.size() > slash + 1 && ((v4 && *bits <= 32) || (v6 && *bits <= 128));
}

}  // namespace weir::settings
