#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <span>
#include <string_view>

namespace weir::platform {

// The C library's send() and recv() are points at which a thread can be cancelled, and two locked instructions each
// tell so; nobody cancels a thread here. Sanitizers look into the library's, so builds with one keep those.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool direct_calls = false;
#else
inline constexpr bool direct_calls = true;
#endif

/// As ::send(), errno included.
inline ssize_t send_to_socket(int descriptor, std::string_view bytes, int flags) {
  if constexpr (direct_calls) {
    return ::syscall(SYS_sendto, descriptor, bytes.data(), bytes.size(), flags, nullptr, 0);
  }
  return ::send(descriptor, bytes.data(), bytes.size(), flags);
}

/// As ::recv(), errno included.
inline ssize_t receive_from_socket(int descriptor, std::span<char> into, int flags) {
  if constexpr (direct_calls) {
    return ::syscall(SYS_recvfrom, descriptor, into.data(), into.size(), flags, nullptr, nullptr);
  }
  return ::recv(descriptor, into.data(), into.size(), flags);
}

}  // namespace weir::platform
