#include "platform/command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

extern char** environ;

namespace weir::platform {

namespace {

constexpr std::size_t output_bytes_max = std::size_t{64} << 10;
constexpr int look_every_ms = 50;  // at `stop`

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (number_ >= 0) {
      ::close(std::exchange(number_, -1));
    }
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// A child in a process group of its own, ended and reaped whatever happens.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      wait(0);
    }
  }
  /// Its exit status, or nothing while it runs.
  std::optional<int> wait(int options) {
    int status = 0;
    pid_t got = 0;
    do {
      got = ::waitpid(pid_, &status, options);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
      return std::nullopt;
    }
    pid_ = -1;
    return got < 0 ? -1 : status;
  }

 private:
  pid_t pid_;
};

}  // namespace

Result<std::string> run_command(const std::string& command, std::chrono::milliseconds patience, std::stop_token stop) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Code::io_error, fmt::format("no pipe for the command: error {}", errno));
  }
  const Descriptor output(ends[0]);
  Descriptor input(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, input.number(), STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  std::string shell = "sh";
  std::string option = "-c";
  std::string text = command;
  std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
  pid_t pid = -1;
  const int spawned = ::posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (spawned != 0) {
    return fail(Code::io_error, fmt::format("the shell could not be started: error {}", spawned));
  }
  Child child(pid);
  input.close();
  std::string printed;
  std::optional<int> status;
  bool open = true;
  while (open || !status) {
    if (stop.stop_requested()) {
      return fail(Code::cancelled, "the gateway is stopping");
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Code::timeout,
                  fmt::format("the command did not end within {} s", std::chrono::duration<double>(patience).count()));
    }
    if (open) {
      pollfd watched{.fd = output.number(), .events = POLLIN, .revents = 0};
      if (::poll(&watched, 1, look_every_ms) <= 0) {
        continue;
      }
      std::array<char, 4096> buffer{};
      const ssize_t got = ::read(output.number(), buffer.data(), buffer.size());
      open = got > 0 || (got < 0 && errno == EINTR);
      if (got > 0) {
        printed.append(buffer.data(), static_cast<std::size_t>(got));
      }
      if (printed.size() > output_bytes_max) {
        return fail(Code::io_error, "the command printed too much");
      }
      continue;
    }
    status = child.wait(WNOHANG);
    if (!status) {
      ::poll(nullptr, 0, look_every_ms / 10);
    }
  }
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    return fail(Code::io_error, WIFEXITED(*status)
                                    ? fmt::format("the command failed with status {}", WEXITSTATUS(*status))
                                    : std::string("the command was ended by a signal"));
  }
  printed.erase(printed.find_last_not_of(" \t\r\n") + 1);
  if (printed.empty()) {
    return fail(Code::io_error, "the command printed nothing");
  }
  return printed;
}

}  // namespace weir::platform
