#pragma once

#include <string_view>

#include "llm/usage.hpp"
#include "text/json_scan.hpp"

namespace weir::openai {

/// Reads the `usage` object that the scanner stands before: what is not JSON, the scanner tells. What is absent, null
/// or no integer stays absent.
[[nodiscard]] llm::Usage read_usage(text::JsonScanner& scanner);
/// The same of a validated object, of a reply or of a stream's event.
[[nodiscard]] llm::Usage read_usage(std::string_view object);

}  // namespace weir::openai
