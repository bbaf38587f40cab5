#pragma once

#include <string_view>

#include "llm/usage.hpp"

namespace weir::openai {

/// Reads a validated `usage` object, of a reply or of a stream's event. What is absent, null or no integer stays
/// absent.
[[nodiscard]] llm::Usage read_usage(std::string_view object);

}  // namespace weir::openai
