#pragma once

#include <optional>
#include <string>

#include "app/config_load.hpp"

namespace weir::app {

/// The environment of this process.
Environment process_environment();

/// What serve and check work with: the file that was named, else ./weir.yaml, else what discovery finds.
struct Start {
  ConfigOutcome outcome;
  std::vector<std::string> found;  // without a config file: what discovery has to say
  bool from_file = false;
};
Start find_start(const std::string& config_path);
/// The same; prints notices and, where there are errors, all of them, to standard error.
Start read_start(const std::string& config_path);

}  // namespace weir::app
