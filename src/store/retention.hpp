#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.hpp"
#include "platform/clock.hpp"
#include "store/store.hpp"

namespace weir::store {

/// How long calls and the audit log are kept, and the former in how much space.
struct Retention {
  std::chrono::milliseconds age{std::chrono::days(30)};     // 0: for ever
  std::int64_t bytes = std::int64_t{2} << 30;               // 0: without a bound
  std::chrono::milliseconds audit{std::chrono::days(365)};  // 0: for ever
  friend bool operator==(const Retention&, const Retention&) = default;
};

/// Removes one slice of what is too old or too much, small enough not to hold others up; how much went. Zero: all
/// is as it should be.
Result<std::int64_t> retain(Store& store, const Retention& retention, platform::WallTime now);

}  // namespace weir::store
