#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "text/json_value.hpp"

namespace weir::settings {

/// Reads the members of a JSON value that has to be an object: each has one of `names`, and stands there once. What is
/// wrong is said with `path` in front ("budgets[0]"), and with the nearest name where one is unknown.
///
/// `json`: any text. `read` gets the name and the value, and may fail itself.
Result<void> read_members(std::string_view json, std::string_view path, const std::vector<std::string_view>& names,
                          const std::function<Result<void>(std::string_view, const text::JsonValue&)>& read);

/// `path` and `member` as people read them: "budgets[0].period"; the member alone where the path is empty.
std::string member_path(std::string_view path, std::string_view member);

}  // namespace weir::settings
