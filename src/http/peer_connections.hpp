#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "platform/address.hpp"

namespace weir::http {

/// How many connections each client address has open, over all cores. Thread-safe; outlives its leases.
class PeerConnections {
 public:
  /// One connection's share; given back by the destructor.
  class Lease {
   public:
    Lease() = default;
    Lease(PeerConnections& peers, const platform::IpAddress& key) : peers_(&peers), key_(key) {}
    Lease(Lease&& other) noexcept : peers_(std::exchange(other.peers_, nullptr)), key_(other.key_) {}
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (peers_ != nullptr) {
        peers_->give_back(key_);
      }
    }

   private:
    PeerConnections* peers_ = nullptr;
    platform::IpAddress key_;
  };

  /// 0: no bound, and nothing is counted.
  void limit(int connections_max) { connections_max_ = connections_max; }
  [[nodiscard]] bool limited() const { return connections_max_.load(std::memory_order_relaxed) > 0; }
  /// Nothing where the address has as many as it may.
  std::optional<Lease> acquire(const platform::IpAddress& address) {
    const platform::IpAddress key = platform::peer_key(address);
    {
      const std::scoped_lock lock(mutex_);
      int& open = open_[key];
      if (open < connections_max_) {
        ++open;
        return std::make_optional<Lease>(*this, key);
      }
    }
    refused_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  void give_back(const platform::IpAddress& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = open_.find(key);
    if (--found->second == 0) {
      open_.erase(found);
    }
  }

  std::atomic<int> connections_max_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::mutex mutex_;
  std::map<platform::IpAddress, int> open_;  // addresses with at least one
};

}  // namespace weir::http
