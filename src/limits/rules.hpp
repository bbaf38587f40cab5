#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "limits/limit.hpp"

namespace weir::limits {

/// What holds for one key, tenant, user, role or model, as it is written and stored.
using Rules = LimitSet;

inline constexpr std::size_t windows_max = 6;

/// "100/60s", "50000/1m", "10/s"; nothing for anything else.
std::optional<WindowLimit> parse_window(std::string_view text, Unit unit);

/// `{"requests": "100/60s", "tokens": ["50000/1m", "1000000/1d"], "in_flight": 8}`, each of them optional; an empty
/// text, {} and null are no limits. `path` stands in front of what is said to be wrong.
Result<Rules> parse_rules(std::string_view json, std::string_view path = "limits");

}  // namespace weir::limits
