#include "http/forwarded.hpp"

#include <algorithm>
#include <vector>

namespace weir::http {

using platform::IpAddress;

std::optional<std::string> forwarded_for(std::string_view peer, const Headers& headers,
                                         std::span<const platform::IpNetwork> trusted) {
  const auto is_trusted = [trusted](const IpAddress& address) {
    return std::ranges::any_of(trusted, [&](const auto& network) { return network.contains(address); });
  };
  const auto from = peer == "unix:" ? std::optional(unix_peer) : platform::parse_address(peer);
  if (!from || !is_trusted(*from)) {
    return std::nullopt;
  }
  std::vector<std::string_view> entries;  // of all fields, in their order
  for (const Header& field : headers) {
    if (iequals(field.name, "x-forwarded-for")) {
      for_each_element(field.value, [&](std::string_view entry) {
        entries.push_back(entry);
        return true;
      });
    }
  }
  std::optional<IpAddress> last;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const auto address = platform::parse_address(*entry);
    if (!address) {
      break;
    }
    last = address;
    if (!is_trusted(*address)) {
      break;
    }
  }
  return last ? std::optional(platform::to_string(*last)) : std::nullopt;
}

}  // namespace weir::http
