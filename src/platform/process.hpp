// This process among others: its successor, its service manager, its limits.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::platform {

/// As many open files as the hard limit grants; gives how many that are.
std::size_t raise_file_limit();

/// Memory that was freed stays with the process, up to 8 MiB of it at the end of each thread's heap: the C library
/// would give it back at 128 KiB, and the body of the next call would fault it in again, page by page. Blocks from 4
/// MiB on are mapped by themselves and go back at once.
void keep_freed_memory();
/// What is free now goes back after all, but for the ends of the heaps of other threads. Takes milliseconds, and
/// whoever wants memory meanwhile waits: for moments without much work.
void give_freed_memory_back();
/// Likewise the end of the heap that the calling thread has its memory from.
void give_end_of_heap_back();

/// Tells systemd, or whoever named a socket in NOTIFY_SOCKET, "READY=1" and the like. Nothing happens where nobody did.
void notify_service_manager(std::string_view state);

/// This program, started again with the listening sockets of this process: the way to another binary or to options that
/// need a restart, without a moment in which nobody listens.
///
/// The new process finds the sockets as systemd hands them over (inherited_sockets.hpp) and says that it serves with
/// announce_ready(). Belongs to one thread.
class Successor {
 public:
  struct Socket {
    int descriptor = -1;
    bool made_by_weir = false;  // a Unix socket whose file the last weir removes
  };
  /// Starts what this process's first argument names, with its arguments, environment and working directory.
  static Result<Successor> start(std::span<const Socket> listening);

  Successor(Successor&& other) noexcept;
  Successor& operator=(Successor&&) = delete;
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;
  ~Successor();

  enum class State : std::uint8_t { starting, ready, ended };
  /// Looks, and waits for news up to `patience`.
  State wait(std::chrono::milliseconds patience);
  /// Asks it to stop, waits for its end, and gives how it ended, in words. Quick where it has ended.
  std::string end();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  Successor(pid_t pid, int news) : pid_(pid), news_(news) {}
  pid_t pid_;
  int news_;  // the pipe that the new process writes to
};

/// Where this process was started by an older one: notes the pipe to it and removes it from the environment. Before
/// threads are started.
void note_predecessor();
/// Says that this process serves: to the older one, if there is one, and to the service manager.
void announce_ready();

}  // namespace weir::platform
