#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace weir::app {

/// Adds `weir keys create|list|show|revoke|rotate` to the command `keys`, and `weir tenants ...` to the program. The
/// command that was named puts itself into `run`, which outlives the program.
void add_identity_commands(CLI::App& program, CLI::App& keys, std::function<int()>& run);

}  // namespace weir::app
