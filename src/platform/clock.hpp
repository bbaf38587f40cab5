#pragma once

#include <chrono>

namespace weir::platform {

/// Time that only goes forward; deadlines and durations are made of it. It has no now(): only a Loop tells the time, so
/// that everything can run in simulated time.
struct SteadyTime {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SteadyTime>;
  static constexpr bool is_steady = true;
};
using Instant = SteadyTime::time_point;
using Duration = SteadyTime::duration;

/// Time as people write it, for records and headers; may jump.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

constexpr Instant never = Instant::max();

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual WallTime wall_now() const = 0;
};

}  // namespace weir::platform
