#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "platform/process_stats.hpp"

namespace weir::app {

/// When to give freed memory back: what is rare and large (a scrape, a usage answer, keys read anew) leaves megabytes
/// that nobody needs again soon, and calls leave what the next ones take. So: where there is more of it than after the
/// last time, in a moment without much work, and not often.
///
/// Belongs to one thread.
class MemoryWatch {
 public:
  static constexpr std::chrono::seconds look_every{5};
  static constexpr int looks_between = 6;                            // half a minute
  static constexpr std::uint64_t worth_it = std::uint64_t{2} << 20;  // bytes
  static constexpr double idle_below = 0.05;                         // of one core

  explicit MemoryWatch(const platform::ProcessStats& now) : kept_(now.memory_bytes), cpu_seconds_(now.cpu_seconds) {}

  /// To be asked every `look_every`; true: it is to be given back now.
  bool is_time(const platform::ProcessStats& now) {
    const double used = now.cpu_seconds - cpu_seconds_;
    cpu_seconds_ = now.cpu_seconds;
    if (is_given_back_) {
      is_given_back_ = false;
      kept_ = now.memory_bytes;
    }
    kept_ = std::min(kept_, now.memory_bytes);
    ++looks_;
    is_given_back_ = looks_ >= looks_between && used < idle_below * static_cast<double>(look_every.count()) &&
                     now.memory_bytes >= kept_ + worth_it;
    looks_ = is_given_back_ ? 0 : looks_;
    return is_given_back_;
  }

 private:
  std::uint64_t kept_;  // resident when it was given back the last time
  double cpu_seconds_;
  int looks_ = looks_between;
  bool is_given_back_ = false;
};

}  // namespace weir::app
