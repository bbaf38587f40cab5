#pragma once

#include <cstdint>

namespace weir::platform {

/// xoshiro256** 1.0 (Blackman and Vigna, public domain, 2018): quick and good enough for jitter, ids and choices; not
/// for secrets. Real loops seed it from the system's entropy, simulated ones from the run's seed. Not thread-safe: one
/// per loop.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  /// Uniform in [0, bound); 0 for a bound of 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1).
  double unit();

 private:
  std::uint64_t state_[4];
};

/// 64 bits of the system's entropy.
std::uint64_t entropy();

}  // namespace weir::platform
