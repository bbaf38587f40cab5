#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "platform/clock.hpp"

namespace weir::providers {

/// What the free checks of the providers' addresses found, and how the paid probes of their targets ended: for pages
/// and metrics; no call is judged by it.
///
/// One for all cores. Thread-safe; locked for a look and a note.
class Reachability {
 public:
  struct Found {
    std::string provider;
    std::optional<Code> failure;  // nothing: a connection could be made
    platform::Instant at{};       // of the last check
    platform::Duration took{};
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
  };

  struct Probed {
    std::string target;  // provider/model
    bool answered = false;
    platform::Instant at{};  // the end of the last one
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
  };

  /// True: it is otherwise than before, or was bad from the start.
  bool note(std::string_view provider, std::optional<Code> failure, platform::Instant now, platform::Duration took);
  /// Forgets those that are not wanted any more.
  void keep(const std::function<bool(std::string_view)>& wanted);
  [[nodiscard]] std::optional<Found> of(std::string_view provider) const;
  [[nodiscard]] std::vector<Found> all() const;
  void note_probe(std::string_view target, bool answered, platform::Instant now);
  [[nodiscard]] std::vector<Probed> probes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Found, std::less<>> found_;
  std::map<std::string, Probed, std::less<>> probed_;  // targets of the configuration: few
};

}  // namespace weir::providers
