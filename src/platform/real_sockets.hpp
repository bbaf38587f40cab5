// Small things that dialling and listening on the machine share.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio.hpp>

#include <string>
#include <utility>

#include "base/result.hpp"
#include "platform/address.hpp"

namespace weir::platform {

/// A descriptor that closes itself unless it is released.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// The address of a Unix socket, for the system.
struct UnixAddress {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }

  static Result<UnixAddress> of(const std::string& path);
};

boost::asio::ip::address to_asio(const IpAddress& address);

}  // namespace weir::platform
