#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::admin {

/// A request record (GET /admin/v1/requests/{id}) as a story that a person can read: each target that was tried, why it
/// was left, timings, and what weir itself added. Error: invalid_request where it is no such record.
Result<std::string> story_of(std::string_view record_json);

}  // namespace weir::admin
