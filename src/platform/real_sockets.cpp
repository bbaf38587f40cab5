#include "platform/real_sockets.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::platform {

namespace asio = boost::asio;

asio::ip::address to_asio(const IpAddress& address) {
  if (address.is_v4()) {
    asio::ip::address_v4::bytes_type bytes;
    std::copy(address.bytes.end() - bytes.size(), address.bytes.end(), bytes.begin());
    return asio::ip::address_v4(bytes);
  }
  return asio::ip::address_v6(address.bytes);
}

Result<UnixAddress> UnixAddress::of(const std::string& path) {
  UnixAddress made;
  if (path.size() >= sizeof(made.address.sun_path)) {
    return fail(Code::invalid_request, fmt::format("unix:{}: a path of {} bytes, and {} are the most that a Unix "
                                                   "socket may have",
                                                   path, path.size(), sizeof(made.address.sun_path) - 1));
  }
  std::ranges::copy(path, made.address.sun_path);
  return made;
}

}  // namespace weir::platform
