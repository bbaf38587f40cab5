#pragma once

#include "app/config_load.hpp"

#include <functional>
#include <string>
#include <vector>

namespace weir::app {

/// What a start without a config file has to work with.
struct Discovery {
  ConfigOutcome outcome;           // a Config as if from a file; errors only from WEIR_* variables
  std::vector<std::string> lines;  // to print: "found: ...", "skipped: ..."
};

/// Builds a config from what is there: provider keys in the environment, a model server on this machine, and the
/// built-in provider `mock`. WEIR_* variables apply as they do with a file.
///
/// Providers that this version cannot reach are part of the config but off, so that a call to them is answered with the
/// reason. All of them forward any model name; a name without a slash goes to the first usable of openai, local and
/// mock. `model_server_answers` tells whether something listens on 127.0.0.1:11434; it is asked only where
/// MODEL_SERVER_URL does not name a server. `folder_takes_files`: whether calls can be kept in the working folder; else
/// they are in memory alone, and a line says so.
Discovery discover(
    const Environment& environment, const std::function<bool()>& model_server_answers,
    const std::function<bool()>& folder_takes_files = [] { return true; }, const AskStore& may_hold_keys = {});

}  // namespace weir::app
