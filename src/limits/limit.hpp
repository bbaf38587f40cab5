#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/clock.hpp"

namespace weir::limits {

enum class Unit : std::uint8_t { requests, tokens };
std::string_view to_string(Unit unit);

/// At most `amount` in any span of `window`.
struct WindowLimit {
  Unit unit = Unit::requests;
  std::int64_t amount = 0;
  platform::Duration window{};
  friend bool operator==(const WindowLimit&, const WindowLimit&) = default;
};
/// "100 requests per 60 s".
std::string to_text(const WindowLimit& limit);

/// Everything that holds for one scope.
struct LimitSet {
  std::vector<WindowLimit> windows;
  std::int64_t in_flight = 0;  // calls at the same time; 0: no limit
  [[nodiscard]] bool empty() const { return windows.empty() && in_flight == 0; }
  friend bool operator==(const LimitSet&, const LimitSet&) = default;
};

/// What is counted together.
enum class ScopeKind : std::uint8_t { global, tenant, user, key, role, model, address };
std::string_view to_string(ScopeKind kind);
inline constexpr std::size_t scope_kinds = 7;
/// "all callers", "this tenant", "this address" ...
std::string_view to_words(ScopeKind kind);

/// One of those that a call belongs to. Views: they live as long as the decision.
struct Scope {
  ScopeKind kind = ScopeKind::global;
  std::string_view id;  // with its tenant, where names are the tenant's own
  const LimitSet* limits = nullptr;
};

}  // namespace weir::limits
