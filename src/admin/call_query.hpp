#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "platform/clock.hpp"
#include "store/store.hpp"

/// From the query of an admin endpoint to a question for the store. Errors: invalid_request, beginning with the
/// `name` of the parameter, with what is allowed.
namespace weir::admin {

/// `2026-11-21`, or a moment of RFC 3339 (`2026-11-21T09:30:00Z`, `...+01:00`).
[[nodiscard]] std::optional<platform::WallTime> parse_time(std::string_view text);

/// `key`, `tenant`, `model`, `status` (`200`, `4xx`, or an end state such as `unknown`), `from`, `limit`, `after`.
[[nodiscard]] Result<store::RequestQuery> read_request_query(std::string_view query);

struct UsageQuestion {
  store::UsageQuery query;
  std::optional<bool> csv;  // or JSON; nothing: not said
};
/// `group_by` (of day, tenant, key, model), `key`, `tenant`, `model`, `from`, `to`, `format` (json, csv).
[[nodiscard]] Result<UsageQuestion> read_usage_query(std::string_view query);

[[nodiscard]] std::string usage_as_json(const store::UsageQuery& query, const std::vector<store::UsageRow>& rows);
[[nodiscard]] std::string usage_as_csv(const store::UsageQuery& query, const std::vector<store::UsageRow>& rows);

}  // namespace weir::admin
