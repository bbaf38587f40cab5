#include "load/target.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace weir::load {

std::expected<Target, std::string> parse_target(std::string_view url) {
  const bool tls = url.starts_with("https://");
  const std::string_view scheme = tls ? "https://" : "http://";
  if (!url.starts_with(scheme)) {
    return std::unexpected("the URL must start with http:// or https://");
  }
  auto rest = url.substr(scheme.size());
  auto slash = rest.find('/');
  auto authority = rest.substr(0, slash);
  auto colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.ends_with(']')) {
    return std::unexpected("the URL needs a port, as in http://127.0.0.1:8000/v1/chat/completions");
  }
  std::uint16_t port = 0;
  auto digits = authority.substr(colon + 1);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
    return std::unexpected("the URL's port is not a number from 1 to 65535");
  }

  Target target;
  target.tls = tls;
  target.host = authority;
  target.path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  auto host = authority.substr(0, colon);
  if (host == "[::1]") {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(port);
    std::memcpy(&target.address, &address, sizeof address);
    target.address_bytes = sizeof address;
    return target;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  auto name = host == "localhost" ? std::string("127.0.0.1") : std::string(host);
  if (inet_pton(AF_INET, name.c_str(), &address.sin_addr) != 1 || (ntohl(address.sin_addr.s_addr) >> 24) != 127) {
    return std::unexpected("only loopback addresses may be loaded (127.x.x.x, localhost, [::1]); this one is not: " +
                           name);
  }
  std::memcpy(&target.address, &address, sizeof address);
  target.address_bytes = sizeof address;
  return target;
}

}  // namespace weir::load
