#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

/// The query of an admin endpoint, whose names the router knows. Errors: invalid_request, beginning with the `name` of
/// the parameter, with what is allowed.
namespace weir::admin {

/// A parameter as text; empty where it is absent.
Result<std::string> parameter(std::string_view query, std::string_view name);

/// A whole number, not negative; nothing for anything else.
[[nodiscard]] std::optional<int> number_in(std::string_view text);

/// `limit`: how many rows; 100 where it is absent.
Result<int> read_limit(std::string_view query);

/// `after`: where the page before ended; empty where it is absent. A row that is gone since is a place all the same, so
/// `is_cursor` judges the form alone.
Result<std::string> read_after(std::string_view query, bool (*is_cursor)(std::string_view));

/// true or false; nothing where it is absent.
Result<std::optional<bool>> read_flag_parameter(std::string_view query, std::string_view name);

}  // namespace weir::admin
