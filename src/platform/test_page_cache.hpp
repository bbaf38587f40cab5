#pragma once

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace weir::platform {

/// How much of a file lies in the page cache, in bytes. Nothing on a file system that keeps all in memory.
inline std::optional<std::size_t> cached_bytes(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return std::nullopt;
  }
  struct statfs system{};
  struct stat found{};
  const bool known = ::fstatfs(descriptor, &system) == 0 && ::fstat(descriptor, &found) == 0;
  const auto bytes = static_cast<std::size_t>(found.st_size);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory = known ? ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0) : MAP_FAILED;
  ::close(descriptor);
  std::vector<unsigned char> pages((bytes + page - 1) / page);
  const bool told = memory != MAP_FAILED && ::mincore(memory, bytes, pages.data()) == 0;
  if (memory != MAP_FAILED) {
    ::munmap(memory, bytes);
  }
  if (!told || system.f_type == TMPFS_MAGIC || system.f_type == OVERLAYFS_SUPER_MAGIC) {
    return std::nullopt;
  }
  return page * static_cast<std::size_t>(std::ranges::count_if(pages, [](unsigned char in) { return (in & 1) != 0; }));
}

}  // namespace weir::platform
