#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::platform {

/// An IP address; IPv4 in its mapped form, so that 10.0.0.1 and ::ffff:10.0.0.1 are one.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] bool is_v4() const;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

/// "10.0.0.1", "::1", "[::1]", each also with ":port"; nothing else.
std::optional<IpAddress> parse_address(std::string_view text);
/// An address alone, without brackets and port.
std::optional<IpAddress> parse_bare_address(std::string_view text);
/// Without brackets and port.
std::string to_string(const IpAddress& address);
/// "10.0.0.1:80", "[::1]:80".
std::string to_string(const IpAddress& address, std::uint16_t port);

/// An address or a block of addresses.
struct IpNetwork {
  IpAddress address;
  unsigned bits = 128;  // of the mapped form
  [[nodiscard]] bool contains(const IpAddress& other) const;
  friend bool operator==(const IpNetwork&, const IpNetwork&) = default;
};
/// "10.0.0.0/8", "fd00::/8", or an address alone.
std::optional<IpNetwork> parse_network(std::string_view text);

/// Who counts as one peer: an IPv4 address, or an IPv6 network of 64 bits, which is what one host is given.
IpAddress peer_key(const IpAddress& address);

}  // namespace weir::platform
