#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "platform/address.hpp"

namespace weir::platform {

/// How much of a budget each caller holds, so that one of them cannot have all of it. Thread-safe; outlives its leases.
///
/// Callers are counted in slots found by a hash of their address with a secret of this process: two may share one, by
/// chance and not by choice. No lock, no allocation, whoever calls.
class SharedBudget {
 public:
  /// `bytes_max`: of one caller. `secret`: random.
  SharedBudget(std::size_t bytes_max, std::uint64_t secret) : bytes_max_(bytes_max), secret_(secret) {}
  SharedBudget(const SharedBudget&) = delete;
  SharedBudget& operator=(const SharedBudget&) = delete;

  /// What one caller holds; given back by the destructor.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept
        : slot_(std::exchange(other.slot_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(slot_, other.slot_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (slot_ != nullptr) {
        slot_->fetch_sub(bytes_, std::memory_order_relaxed);
      }
    }
    /// False if that caller's share has no room; the lease stays as it was. One lease is for one caller.
    [[nodiscard]] bool grow_to(SharedBudget& budget, const IpAddress& caller, std::size_t bytes) {
      if (bytes <= bytes_) {
        return true;
      }
      std::atomic<std::size_t>& slot = slot_ != nullptr ? *slot_ : budget.slot_of(caller);
      const std::size_t more = bytes - bytes_;
      if (slot.fetch_add(more, std::memory_order_relaxed) + more > budget.bytes_max_) {
        slot.fetch_sub(more, std::memory_order_relaxed);
        return false;
      }
      slot_ = &slot;
      bytes_ = bytes;
      return true;
    }

   private:
    std::atomic<std::size_t>* slot_ = nullptr;
    std::size_t bytes_ = 0;
  };

  [[nodiscard]] std::size_t held_by(const IpAddress& caller) { return slot_of(caller).load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t slots = 4096;
  std::atomic<std::size_t>& slot_of(const IpAddress& caller) {
    std::uint64_t hash = secret_;
    for (const std::uint8_t byte : peer_key(caller).bytes) {
      hash = (hash ^ byte) * 0x9e3779b97f4a7c15U;
      hash ^= hash >> 32U;
    }
    return held_[hash % slots];
  }

  const std::size_t bytes_max_;
  const std::uint64_t secret_;
  std::array<std::atomic<std::size_t>, slots> held_{};
};

}  // namespace weir::platform
