#include "platform/inherited_sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace weir::platform {

namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START
constexpr int descriptors_max = 64;

int number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  int value = 0;
  if (text != nullptr) {
    std::from_chars(text, text + std::strlen(text), value);
  }
  return value;
}

}  // namespace

InheritedSockets InheritedSockets::from_environment() {
  InheritedSockets inherited;
  const bool ours = number_in_environment("LISTEN_PID") == ::getpid();
  const char* given_names = std::getenv("LISTEN_FDNAMES");
  std::string names = ours && given_names != nullptr ? given_names : "";
  const int count = ours ? std::clamp(number_in_environment("LISTEN_FDS"), 0, descriptors_max) : 0;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    ::unsetenv(name);
  }
  for (int descriptor = first_descriptor; descriptor < first_descriptor + count; ++descriptor) {
    const std::string name = names.substr(0, names.find(':'));
    names.erase(0, std::min(names.size(), name.size() + 1));
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      continue;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    Socket socket{.descriptor = descriptor, .host = {}, .port = 0, .is_unix = false, .made_by_weir = false};
    if (address.ss_family == AF_INET) {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
      socket.host = ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
      socket.port = ntohs(v4.sin_port);
    } else if (address.ss_family == AF_INET6) {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
      socket.host = ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
      socket.port = ntohs(v6.sin6_port);
    } else if (address.ss_family == AF_UNIX) {
      const auto& local = reinterpret_cast<const sockaddr_un&>(address);
      socket.host = std::string(local.sun_path, ::strnlen(local.sun_path, sizeof(local.sun_path)));
      socket.is_unix = true;
      socket.made_by_weir = name == name_of_own_socket;
    }
    inherited.sockets_.push_back(std::move(socket));
  }
  return inherited;
}

int InheritedSockets::take(std::string_view host, std::uint16_t port) {
  const auto found = std::ranges::find_if(sockets_, [&](const Socket& socket) {
    return !socket.is_unix && socket.host == host && (port == 0 || socket.port == port);
  });
  if (found == sockets_.end()) {
    return -1;
  }
  const int descriptor = found->descriptor;
  sockets_.erase(found);
  return descriptor;
}

InheritedSockets::Taken InheritedSockets::take_unix(std::string_view path) {
  const auto found =
      std::ranges::find_if(sockets_, [&](const Socket& socket) { return socket.is_unix && socket.host == path; });
  if (found == sockets_.end()) {
    return {};
  }
  const Taken taken{.descriptor = found->descriptor, .made_by_weir = found->made_by_weir};
  sockets_.erase(found);
  return taken;
}

std::vector<std::string> InheritedSockets::close_rest() {
  std::vector<std::string> closed;
  for (const Socket& socket : std::exchange(sockets_, {})) {
    ::close(socket.descriptor);
    closed.push_back(socket.is_unix ? "unix:" + socket.host
                                    : fmt::format(fmt::runtime(socket.host.contains(':') ? "[{}]:{}" : "{}:{}"),
                                                  socket.host, socket.port));
  }
  return closed;
}

}  // namespace weir::platform
