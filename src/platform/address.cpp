#include "platform/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir::platform {

namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<IpAddress> parse_bare_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.empty() || text.size() >= buffer.size()) {
    return std::nullopt;
  }
  std::ranges::copy(text, buffer.begin());
  IpAddress address;
  if (::inet_pton(AF_INET6, buffer.data(), address.bytes.data()) == 1) {
    return address;
  }
  std::ranges::copy(v4_prefix, address.bytes.begin());
  if (::inet_pton(AF_INET, buffer.data(), address.bytes.data() + v4_prefix.size()) == 1) {
    return address;
  }
  return std::nullopt;
}

bool IpAddress::is_v4() const {
  return std::equal(v4_prefix.begin(), v4_prefix.end(), bytes.begin());
}

std::optional<IpAddress> parse_address(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view rest = text.substr(end + 1);
    const bool good = rest.empty() || (rest.starts_with(':') && is_number(rest.substr(1)));
    return good ? parse_bare_address(text.substr(1, end - 1)) : std::nullopt;
  }
  const std::size_t colon = text.find(':');
  const bool v4_with_port = colon != std::string_view::npos && text.find('.') < colon;
  if (v4_with_port && is_number(text.substr(colon + 1))) {
    return parse_bare_address(text.substr(0, colon));
  }
  return parse_bare_address(text);
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = address.is_v4();
  ::inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes.data() + (v4 ? v4_prefix.size() : 0), text.data(), text.size());
  return text.data();
}

std::string to_string(const IpAddress& address, std::uint16_t port) {
  return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), to_string(address), port);
}

bool IpNetwork::contains(const IpAddress& other) const {
  const std::size_t whole = bits / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.bytes.begin())) {
    return false;
  }
  const unsigned rest = bits % 8;
  return rest == 0 || (address.bytes[whole] ^ other.bytes[whole]) >> (8 - rest) == 0;
}

std::optional<IpNetwork> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_bare_address(text.substr(0, slash));
  if (!address) {
    return std::nullopt;
  }
  IpNetwork network{.address = *address};
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const unsigned most = address->is_v4() ? 32 : 128;
    unsigned bits = 0;
    if (!is_number(digits) || digits.size() > 3) {
      return std::nullopt;
    }
    std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (bits > most) {
      return std::nullopt;
    }
    network.bits = bits + (128 - most);
  }
  return network;
}

IpAddress peer_key(const IpAddress& address) {
  IpAddress key = address;
  if (!address.is_v4()) {
    std::fill(key.bytes.begin() + 8, key.bytes.end(), std::uint8_t{0});
  }
  return key;
}

}  // namespace weir::platform
