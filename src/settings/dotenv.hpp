#pragma once

#include "settings/expand.hpp"
#include "settings/report.hpp"

#include <string>
#include <string_view>

namespace weir::settings {

/// Reads a `.env` file: `NAME=value` lines, `export` before it, comments, values in '...' (as they are) or "..." (with
/// \n, \", \\ and \$). Nothing is expanded in it. Lines that are none of this go to `report` as notices: the file often
/// serves other programs too.
Environment parse_dotenv(std::string_view text, const std::string& file, Report& report);

}  // namespace weir::settings
