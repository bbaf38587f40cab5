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

std::size_t Loop::let_held_leave() {
  std::size_t count = 0;
  for (; !held_.empty(); ++count) {
    HeldWrite& write = held_.front();
    held_.pop_front();
    write.leave();
  }
  return count;
}

}  // namespace weir::platform
