#pragma once

#include "platform/clock.hpp"

namespace weir::platform {

/// The machine's clocks. Safe from any thread.
class RealClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] WallTime wall_now() const override;
};

}  // namespace weir::platform
