#include "limits/sliding_window.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace weir::limits {

using platform::Duration;
using platform::Instant;

void SlidingWindow::forget(Instant now) {
  while (count_ > 0 && ring_[first_].at + length_ <= now) {
    used_ -= ring_[first_].amount;
    first_ = place(1);
    --count_;
  }
}

std::optional<Duration> SlidingWindow::wait_for(Instant now, std::int64_t amount, std::int64_t limit) const {
  if (amount > limit) {
    return std::nullopt;
  }
  std::int64_t excess = used_ - (limit - amount);
  if (excess <= 0) {
    return Duration{};
  }
  for (std::size_t i = 0; i < count_; ++i) {
    const Entry& entry = ring_[place(i)];
    excess -= entry.amount;
    if (excess <= 0) {
      return entry.at + length_ - now;
    }
  }
  return length_;
}

void SlidingWindow::use(Memory& memory) {
  if (memory.size() <= ring_.size()) {
    return;
  }
  for (std::size_t i = 0; i < count_; ++i) {
    memory[i] = ring_[place(i)];
  }
  std::swap(ring_, memory);
  first_ = 0;
}

void SlidingWindow::take(Instant at, std::int64_t amount, std::int64_t limit) {
  WEIR_ASSERT(count_ < ring_.size(), "the caller gave room before");
  WEIR_ASSERT(at >= latest(), "entries are in order");
  used_ += amount;
  if (count_ > 0 && limit > entries_max) {
    Entry& last = ring_[place(count_ - 1)];
    if (at < slot_end_) {
      last.at = at;
      last.amount += amount;
      return;
    }
  }
  ring_[place(count_)] = {at, amount};
  ++count_;
  slot_end_ = Instant((at.time_since_epoch() / slot() + 1) * slot());
}

void SlidingWindow::give_back(Instant taken_at, std::int64_t amount) {
  // Of several that became one entry, it has the time of the last. What is given back was mostly taken lately.
  std::size_t begin = count_;
  while (begin > 0 && ring_[place(begin - 1)].at >= taken_at) {
    --begin;
  }
  for (std::size_t i = begin; i < count_; ++i) {
    Entry& entry = ring_[place(i)];
    if (entry.at - taken_at > slot()) {
      return;  // it is over
    }
    const std::int64_t given = std::min(amount, entry.amount);
    entry.amount -= given;
    used_ -= given;
    amount -= given;
    if (entry.amount == 0) {
      for (std::size_t j = i; j + 1 < count_; ++j) {
        ring_[place(j)] = ring_[place(j + 1)];
      }
      --count_;
      --i;
      slot_end_ = Instant::min();
    }
    if (amount == 0) {
      return;
    }
  }
}

Duration SlidingWindow::until_empty(Instant now) const {
  return count_ == 0 ? Duration{} : ring_[place(count_ - 1)].at + length_ - now;
}

}  // namespace weir::limits
