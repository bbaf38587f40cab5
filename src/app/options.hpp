#pragma once

#include "settings/environment.hpp"
#include "settings/schema.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::app {

/// Every option of weir with its one sentence, unit, default, bounds and example. Checks, defaults, `weir help options`
/// and docs/configuration.md are made from it.
std::unique_ptr<settings::Schema> option_schema();

/// Names that users know from elsewhere, and the option or section that each of them is: ("logging", "log").
std::vector<std::pair<std::string, std::string>> option_aliases();

/// The environment variables with names of their own (HTTP_TIMEOUT), and the prefix of all others.
settings::VariableNames option_variables();

/// The sections that change the rest of the config when `app.environment` names them.
std::vector<std::string> overlay_names();

/// docs/configuration.md: one table for each section.
std::string options_markdown();

/// The same for a terminal: two lines for each option.
std::string options_help();

}  // namespace weir::app
