#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::settings {

/// The parts of an `http://` or `https://` address that a client needs, or of a Unix socket: `unix:/run/x.sock`, with
/// what stands before each path behind a second colon, `unix:/run/x.sock:/v1`, as nginx writes it.
struct Url {
  bool tls = false;
  std::string host;  // IPv6 without its brackets; "localhost" for a Unix socket
  std::uint16_t port = 80;
  std::string unix_path{};  // not empty: a Unix socket, plain HTTP
  std::string path;         // percent-encoded as written, without a trailing slash; may be empty
  std::string query;        // likewise, without the question mark
};

/// The message of an error continues after the quoted text: "is not an address; ...". User names and fragments are
/// refused: credentials belong into `keys`.
Result<Url> parse_url(std::string_view text);

/// A host and port to listen on or connect to: `127.0.0.1:8000`, `localhost:80`, `[::1]:8000`, `:8000` (empty host).
struct HostPort {
  std::string host;  // IPv6 without its brackets
  std::uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);

/// True for 127.0.0.0/8, ::1 and localhost.
bool is_loopback_host(std::string_view host);

/// True for an IP address, or one with a prefix length (10.0.0.0/8, fd00::/8).
bool is_address_or_network(std::string_view text);

}  // namespace weir::settings
