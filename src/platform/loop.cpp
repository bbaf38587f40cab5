#include "platform/loop.hpp"

#include <fmt/format.h>

#include "platform/stream.hpp"

namespace weir::platform {

std::string to_string(const Peer& peer) {
  if (!peer.unix_path.empty()) {
    return "unix:" + peer.unix_path;
  }
  return fmt::format(fmt::runtime(peer.host.contains(':') ? "[{}]:{}" : "{}:{}"), peer.host, peer.port);
}

Result<std::unique_ptr<Listener>> Loop::listen(const Peer& at, AcceptHandler& handler) {
  return listen(at, handler, {});
}

}  // namespace weir::platform
