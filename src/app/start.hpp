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
/// `demo`: with the demo keys.
Start find_start(const std::string& config_path, bool demo = false);
/// The same; prints notices and, where there are errors, all of them, to standard error.
Start read_start(const std::string& config_path, bool demo = false);

}  // namespace weir::app
