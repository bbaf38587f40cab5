#pragma once

#include <cstdint>

namespace weir::platform {

/// What this process uses of its machine. From the kernel's own tables (getrusage, /proc/self): no disk is touched, so
/// a request thread may ask. What cannot be read is 0.
struct ProcessStats {
  double cpu_seconds = 0;          // user and system, since the start
  std::uint64_t memory_bytes = 0;  // resident
  std::uint64_t disk_read_bytes = 0;
  std::uint64_t disk_written_bytes = 0;
  std::uint64_t network_received_bytes = 0;  // of the whole machine or container, loopback left out
  std::uint64_t network_sent_bytes = 0;
  std::uint64_t threads = 0;
  unsigned cores = 0;
};

ProcessStats read_process_stats();

}  // namespace weir::platform
