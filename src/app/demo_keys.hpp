#pragma once

#include "app/config_load.hpp"

namespace weir::app {

/// `weir serve --demo`: adds the keys that everybody knows. An error in place of the config where other machines could
/// use them.
void add_demo_keys(ConfigOutcome& outcome);

/// The first key whose value everybody knows, or null.
const CallerKey* find_demo_key(const AuthConfig& auth);

}  // namespace weir::app
