#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "platform/clock.hpp"

namespace weir::limits {

/// What was taken in the last `length` of time: no span of that length ever holds more than the limit.
///
/// Exact to the nanosecond for limits of up to `entries_max`. For larger ones what is taken in the same 256th of the
/// window becomes one entry with the time of the last: it counts up to that much longer, never shorter, and memory
/// stays bounded. The memory is given by its user, outside of any lock: see room_wanted(). Not thread-safe.
class SlidingWindow {
 public:
  static constexpr std::int64_t entries_max = 256;

  struct Entry {
    platform::Instant at{};
    std::int64_t amount = 0;
  };
  using Memory = std::vector<Entry>;

  explicit SlidingWindow(platform::Duration length) : length_(length) {}

  [[nodiscard]] platform::Duration length() const { return length_; }
  /// Drops what is over at `now`.
  void forget(platform::Instant now);
  /// What is in the window, after forget().
  [[nodiscard]] std::int64_t used() const { return used_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// When something was last taken, if that is not over.
  [[nodiscard]] platform::Instant latest() const {
    return count_ == 0 ? platform::Instant::min() : ring_[place(count_ - 1)].at;
  }

  /// After forget(): how long `amount` more has to wait until it fits; zero: it fits now; nothing: never.
  [[nodiscard]] std::optional<platform::Duration> wait_for(platform::Instant now, std::int64_t amount,
                                                           std::int64_t limit) const;
  /// How many entries the memory must have for the next take(); 0: it has enough.
  [[nodiscard]] std::size_t room_wanted() const { return count_ < ring_.size() ? 0 : ring_.size() * 2 + 2; }
  /// Takes larger memory, leaving the smaller in its place.
  void use(Memory& memory);

  /// Takes `amount`. There must be room, and `at` not be before latest().
  void take(platform::Instant at, std::int64_t amount, std::int64_t limit);
  /// Undoes a part of what was taken at that time; nothing happens where it is over already.
  void give_back(platform::Instant taken_at, std::int64_t amount);

  /// Until the window is empty if nothing more comes.
  [[nodiscard]] platform::Duration until_empty(platform::Instant now) const;

 private:
  [[nodiscard]] std::size_t place(std::size_t index) const {
    const std::size_t at = first_ + index;  // index <= ring_.size(), and a division takes long
    return at < ring_.size() ? at : at - ring_.size();
  }
  [[nodiscard]] platform::Duration slot() const { return length_ / entries_max + platform::Duration(1); }

  platform::Duration length_;
  Memory ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::int64_t used_ = 0;
  platform::Instant slot_end_ = platform::Instant::min();  // until then what is taken joins the last entry
};

}  // namespace weir::limits
