#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace weir::platform {

/// Bytes that may be held for callers at one time, over all cores. Thread-safe; outlives its leases.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// A share of the budget; given back by the destructor.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (budget_ != nullptr) {
        budget_->used_.fetch_sub(bytes_, std::memory_order_relaxed);
      }
    }
    /// False if the budget has no room; the lease stays as it was.
    [[nodiscard]] bool grow_to(MemoryBudget& budget, std::size_t bytes) {
      if (bytes <= bytes_) {
        return true;
      }
      const std::size_t more = bytes - bytes_;
      if (budget.used_.fetch_add(more, std::memory_order_relaxed) + more > budget.bytes_max_) {
        budget.used_.fetch_sub(more, std::memory_order_relaxed);
        return false;
      }
      budget_ = &budget;
      bytes_ = bytes;
      return true;
    }

   private:
    MemoryBudget* budget_ = nullptr;
    std::size_t bytes_ = 0;
  };

  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_ = 0;
};

}  // namespace weir::platform
