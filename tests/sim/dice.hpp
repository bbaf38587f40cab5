#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "platform/clock.hpp"
#include "platform/random.hpp"

namespace weir::sim {

using platform::Duration;

/// What a seed decides, one throw after the other.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  bool chance(double probability) { return random_.unit() < probability; }
  std::size_t between(std::size_t min, std::size_t max) { return min + random_.below(max - min + 1); }
  Duration between(Duration min, Duration max) {
    return min +
           Duration(static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>((max - min).count()) + 1)));
  }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + random_.below(values.size()));
  }

 private:
  platform::Random random_;
};

}  // namespace weir::sim
