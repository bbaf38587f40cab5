#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <expected>
#include <string>
#include <string_view>

namespace weir::load {

/// Where the load goes: one loopback address, so that a slip of the keyboard cannot load somebody else's server.
struct Target {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::string host;  // as written, with the port: for the Host header
  std::string path;
  bool tls = false;
};

/// `url`: http://127.x.x.x:PORT/PATH, http://localhost:PORT/PATH or http://[::1]:PORT/PATH, or the same with https. No
/// name is ever looked up.
std::expected<Target, std::string> parse_target(std::string_view url);

}  // namespace weir::load
