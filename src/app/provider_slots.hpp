#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "http/connection_slots.hpp"

namespace weir::app {

/// The connections that may be open to each provider, over all cores and across reloads: what a provider's old settings
/// still have open counts for the new ones. Thread-safe; used when providers are made, never on the way of a call.
class ProviderSlots {
 public:
  std::shared_ptr<http::ConnectionSlots> of(const std::string& provider, std::size_t open_max) {
    const std::scoped_lock lock(mutex_);
    auto& slots = slots_[provider];
    if (slots == nullptr) {
      slots = std::make_shared<http::ConnectionSlots>(open_max);
    } else {
      slots->limit(open_max);
    }
    return slots;
  }

  /// Places that are taken, of all providers.
  [[nodiscard]] std::size_t open() {
    const std::scoped_lock lock(mutex_);
    std::size_t sum = 0;
    for (const auto& [provider, slots] : slots_) {
      sum += slots->open();
    }
    return sum;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<http::ConnectionSlots>> slots_;
};

}  // namespace weir::app
