#include "platform/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "platform/inherited_sockets.hpp"

namespace weir::platform {

namespace {

constexpr int first_descriptor = 3;
constexpr const char* news_variable = "WEIR_HANDOVER_FD";
constexpr std::size_t pid_digits = 10;
constexpr int kept_at_end = 8 << 20;  // bytes of each heap, free

int predecessor = -1;  // NOLINT: set once before threads start; a descriptor belongs to the process as a whole

/// The arguments of this process, as the system keeps them.
std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::string> arguments;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\0', begin), text.size());
    arguments.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return arguments;
}

/// The file behind a program's name, as a shell finds it. Not /proc/self/exe: an upgrade may put another file in its
/// place, or turn a link.
std::string find_program(const std::string& name) {
  if (name.contains('/')) {
    return name;
  }
  const char* path = std::getenv("PATH");
  for (std::string_view rest = path == nullptr ? "" : path; !rest.empty();) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), name);
    if (::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return "/proc/self/exe";
}

/// Everything that the child needs between fork and exec, where it may not allocate.
struct Start {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::vector<char*> argument_pointers;
  std::vector<char*> environment_pointers;
  char* pid_place = nullptr;     // in LISTEN_PID=
  std::vector<int> descriptors;  // copies, above where the child wants them

  explicit Start(std::span<const Successor::Socket> listening) : arguments(own_arguments()) {
    program = arguments.empty() ? "/proc/self/exe" : find_program(arguments.front());
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      if (!text.starts_with("LISTEN_") && !text.starts_with(news_variable)) {
        environment.emplace_back(text);
      }
    }
    std::string names;
    for (const Successor::Socket& socket : listening) {
      names += names.empty() ? "" : ":";
      names += socket.made_by_weir ? name_of_own_socket : "other";
    }
    environment.push_back(fmt::format("LISTEN_FDS={}", listening.size()));
    environment.push_back("LISTEN_FDNAMES=" + names);
    environment.push_back(fmt::format("{}={}", news_variable, first_descriptor + static_cast<int>(listening.size())));
    environment.push_back("LISTEN_PID=" + std::string(pid_digits, '\0'));
    for (std::string& argument : arguments) {
      argument_pointers.push_back(argument.data());
    }
    for (std::string& variable : environment) {
      environment_pointers.push_back(variable.data());
    }
    argument_pointers.push_back(nullptr);
    environment_pointers.push_back(nullptr);
    pid_place = environment.back().data() + std::strlen("LISTEN_PID=");
  }
  Start(const Start&) = delete;
  Start& operator=(const Start&) = delete;
  ~Start() {
    for (const int descriptor : descriptors) {
      ::close(descriptor);
    }
  }
  bool add(int descriptor, int above) {
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, above);
    if (copy >= 0) {
      descriptors.push_back(copy);
    }
    return copy >= 0;
  }
};

/// In the child: only what is safe between fork and exec of a program with threads.
[[noreturn]] void become(Start& start) {
  const int count = static_cast<int>(start.descriptors.size());
  for (int i = 0; i < count; ++i) {
    if (::dup2(start.descriptors[static_cast<std::size_t>(i)], first_descriptor + i) < 0) {
      ::_exit(127);
    }
  }
  // A client's connection that stayed open here would not be seen to close when its own process closes it.
  const auto rest = static_cast<unsigned>(first_descriptor + count);
  if (::syscall(SYS_close_range, rest, ~0U, 0U) != 0) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t descriptor = rest; descriptor < std::min<rlim_t>(limit.rlim_cur, 1U << 20U); ++descriptor) {
      ::close(static_cast<int>(descriptor));
    }
  }
  char digits[pid_digits];
  std::size_t used = 0;
  for (pid_t pid = ::getpid(); pid > 0; pid /= 10) {
    digits[used++] = static_cast<char>('0' + pid % 10);
  }
  for (std::size_t i = 0; i < used; ++i) {
    start.pid_place[i] = digits[used - 1 - i];
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(start.program.c_str(), start.argument_pointers.data(), start.environment_pointers.data());
  ::_exit(127);
}

}  // namespace

std::size_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return 0;
  }
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) {
      limit = raised;
    }
  }
  return limit.rlim_cur;
}

void keep_freed_memory() {
#if defined(__GLIBC__)
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, kept_at_end);
#endif
}

void give_end_of_heap_back() {
#if defined(__GLIBC__)
  // malloc_trim() leaves it alone in all heaps but the first thread's; only freeing a large block looks at it.
  ::mallopt(M_TRIM_THRESHOLD, 128 << 10);
  void* volatile block = std::malloc(256 << 10);
  std::free(block);
  ::mallopt(M_TRIM_THRESHOLD, kept_at_end);
#endif
}

void give_freed_memory_back() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

void notify_service_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = path == nullptr ? 0 : std::strlen(path);
  if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@')) {
    return;
  }
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') {
    address.sun_path[0] = '\0';  // Linux's abstract names
  }
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket >= 0) {
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    static_cast<void>(::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                               reinterpret_cast<const sockaddr*>(&address), size));
    ::close(socket);
  }
}

Result<Successor> Successor::start(std::span<const Socket> listening) {
  int news[2];
  if (::pipe2(news, O_CLOEXEC) != 0) {
    return fail(Code::io_error, fmt::format("no pipe: {}", std::strerror(errno)));
  }
  pid_t pid = -1;
  int error = 0;
  {
    Start start(listening);
    const int above = first_descriptor + static_cast<int>(listening.size()) + 1;
    bool copied = true;
    for (const Socket& socket : listening) {
      copied = copied && start.add(socket.descriptor, above);
    }
    copied = copied && start.add(news[1], above);
    pid = copied ? ::fork() : -1;
    error = errno;
    if (pid == 0) {
      become(start);
    }
  }
  ::close(news[1]);
  if (pid < 0) {
    ::close(news[0]);
    return fail(Code::io_error, std::strerror(error));
  }
  return Successor(pid, news[0]);
}

Successor::Successor(Successor&& other) noexcept : pid_(other.pid_), news_(std::exchange(other.news_, -1)) {}

Successor::~Successor() {
  if (news_ >= 0) {
    ::close(news_);
  }
}

Successor::State Successor::wait(std::chrono::milliseconds patience) {
  pollfd waiting{.fd = news_, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) {
    return State::starting;
  }
  char byte = 0;
  return ::read(news_, &byte, 1) == 1 ? State::ready : State::ended;
}

std::string Successor::end() {
  ::kill(pid_, SIGTERM);  // nothing happens to one that has ended and was not waited for
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                             : fmt::format("exit status {}", WEXITSTATUS(status));
}

void note_predecessor() {
  if (const char* text = std::getenv(news_variable)) {
    predecessor = std::atoi(text);
    ::fcntl(predecessor, F_SETFD, FD_CLOEXEC);
    ::unsetenv(news_variable);
  }
}

void announce_ready() {
  notify_service_manager(fmt::format("READY=1\nMAINPID={}", ::getpid()));
  if (predecessor >= 0) {
    static_cast<void>(!::write(predecessor, "1", 1));
    ::close(std::exchange(predecessor, -1));
  }
}

}  // namespace weir::platform
