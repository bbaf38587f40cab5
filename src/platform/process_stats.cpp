#include "platform/process_stats.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <thread>

namespace weir::platform {
namespace {

std::string read_small(const char* path) {
  std::string text;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return text;
  }
  std::array<char, 4096> part;
  for (ssize_t got = 0; (got = ::read(file, part.data(), part.size())) > 0 && text.size() < 65'536;) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  ::close(file);
  return text;
}

/// The number that follows `label`, behind blanks.
std::uint64_t number_after(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  if (at == std::string_view::npos) {
    return 0;
  }
  text.remove_prefix(at + label.size());
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The n-th word of a line, as a number.
std::uint64_t word(std::string_view line, int n) {
  std::uint64_t number = 0;
  for (int i = 0; i <= n; ++i) {
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
    const std::string_view one = line.substr(0, line.find(' '));
    if (i == n) {
      std::from_chars(one.data(), one.data() + one.size(), number);
    }
    line.remove_prefix(one.size());
  }
  return number;
}

}  // namespace

ProcessStats read_process_stats() {
  ProcessStats stats{.cores = std::thread::hardware_concurrency()};
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    stats.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  const std::string status = read_small("/proc/self/status");
  stats.memory_bytes = number_after(status, "VmRSS:") * 1024;
  stats.threads = number_after(status, "Threads:");
  const std::string io = read_small("/proc/self/io");
  stats.disk_read_bytes = number_after(io, "\nread_bytes:");
  stats.disk_written_bytes = number_after(io, "\nwrite_bytes:");
  const std::string network = read_small("/proc/self/net/dev");
  for (std::string_view rest = network; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.substr(0, colon).ends_with(" lo")) {
      continue;
    }
    stats.network_received_bytes += word(line.substr(colon + 1), 0);
    stats.network_sent_bytes += word(line.substr(colon + 1), 8);
  }
  return stats;
}

}  // namespace weir::platform
