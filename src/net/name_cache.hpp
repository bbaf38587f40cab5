#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/address.hpp"
#include "platform/clock.hpp"

namespace weir::net {

/// The addresses of names, remembered for a while. No I/O, no clock: the caller says what time it is.
///
/// Only answers are kept: a failure is asked about again at once. What has grown old is still told, as `last_known`,
/// for once more the time that it was fresh, for when nobody can be asked. Names come from the configuration alone, so
/// there are few. Belongs to one loop.
class NameCache {
 public:
  using Addresses = std::vector<platform::IpAddress>;

  /// 0: nothing is remembered. Holds for what is asked from now on.
  void keep_for(platform::Duration time) { fresh_for_ = time; }

  /// Null: unknown, or too old. Lives until the next change.
  [[nodiscard]] const Addresses* fresh(std::string_view name, platform::Instant now) const {
    return younger_than(name, fresh_for_, now);
  }
  [[nodiscard]] const Addresses* last_known(std::string_view name, platform::Instant now) const {
    return younger_than(name, 2 * fresh_for_, now);
  }
  void store(const std::string& name, Addresses addresses, platform::Instant now) {
    if (fresh_for_ > platform::Duration::zero()) {
      names_[name] = {.addresses = std::move(addresses), .since = now};
    }
  }
  /// None of its addresses answers: it may have moved.
  void forget(std::string_view name) {
    if (const auto found = names_.find(name); found != names_.end()) {
      names_.erase(found);
    }
  }
  /// This one answered where those before it did not: it is tried first from now on.
  void prefer(std::string_view name, const platform::IpAddress& address) {
    const auto found = names_.find(name);
    if (found == names_.end()) {
      return;
    }
    Addresses& addresses = found->second.addresses;
    for (std::size_t i = 1; i < addresses.size(); ++i) {
      if (addresses[i] == address) {
        std::swap(addresses[i], addresses.front());
        return;
      }
    }
  }

 private:
  struct Known {
    Addresses addresses;
    platform::Instant since;
  };
  [[nodiscard]] const Addresses* younger_than(std::string_view name, platform::Duration age,
                                              platform::Instant now) const {
    const auto found = names_.find(name);
    return found != names_.end() && now - found->second.since < age ? &found->second.addresses : nullptr;
  }

  platform::Duration fresh_for_ = std::chrono::minutes(5);
  std::map<std::string, Known, std::less<>> names_;
};

}  // namespace weir::net
