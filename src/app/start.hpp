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
/// `demo`: with the demo keys. `may_hold_keys`: asked where nothing else says who may call.
Start find_start(const std::string& config_path, bool demo = false, const AskStore& may_hold_keys = {});
/// The same; prints notices and, where there are errors, all of them, to standard error.
Start read_start(const std::string& config_path, bool demo = false, const AskStore& may_hold_keys = {});

/// False: the store is not there yet, or holds no key. One that cannot be read may hold some. Nothing is made.
bool store_may_hold_keys(const Config& config);

}  // namespace weir::app
