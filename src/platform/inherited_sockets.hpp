#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::platform {

/// What LISTEN_FDNAMES calls a Unix socket whose file a weir made.
inline constexpr std::string_view name_of_own_socket = "weir-made";

/// The listening sockets that this process was started with, as systemd and an older weir hand them over: LISTEN_PID
/// names this process, LISTEN_FDS says how many there are, from descriptor 3 on.
///
/// Connections that wait in such a socket's queue outlive the process that listened before. Closes what nobody took.
class InheritedSockets {
 public:
  InheritedSockets() = default;
  InheritedSockets(const InheritedSockets&) = delete;
  InheritedSockets& operator=(const InheritedSockets&) = delete;
  InheritedSockets(InheritedSockets&&) = default;
  InheritedSockets& operator=(InheritedSockets&&) = default;
  ~InheritedSockets() { close_rest(); }

  /// Removes the variables from the environment, so that no child takes them for its own: before threads are started.
  static InheritedSockets from_environment();

  /// The descriptor that listens on `host`, an IP address, and `port` (0: any), or -1. It is the caller's from now on.
  [[nodiscard]] int take(std::string_view host, std::uint16_t port);
  struct Taken {
    int descriptor = -1;
    bool made_by_weir = false;  // then weir removes its file at the end; systemd removes its own
  };
  /// The same for a Unix socket.
  [[nodiscard]] Taken take_unix(std::string_view path);
  /// Closes what nobody took; gives their addresses.
  std::vector<std::string> close_rest();

 private:
  struct Socket {
    int descriptor;
    std::string host;  // or path
    std::uint16_t port;
    bool is_unix;
    bool made_by_weir;
  };
  std::vector<Socket> sockets_;
};

}  // namespace weir::platform
