#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "dialects/openai/errors.hpp"

namespace weir::api {

/// Why a query is refused that has a parameter whose name is not `known`, with the nearest one: a misspelt filter would
/// show, and a misspelt wish would do, what was not asked for. Nothing where all are known.
[[nodiscard]] std::optional<openai::RequestError> refuse_unknown(std::string_view query,
                                                                 std::span<const std::string_view> known);

}  // namespace weir::api
