#pragma once

#include <string>
#include <vector>

#include "app/config.hpp"

namespace weir::app {

/// What a reload means for a running gateway. Pure comparison of two configurations.

/// True where a provider of `before` can serve `after` unchanged, connections and all. Time limits and retry do not
/// count: they stand in the model table.
bool same_provider(const Config& before, const ProviderConfig& old_one, const Config& after,
                   const ProviderConfig& new_one);

/// What differs from the configuration that the process was started with and cannot change while it runs: "listen:
/// 127.0.0.1:8000 stays until a restart; the file says 127.0.0.1:9000". Empty: everything applies.
std::vector<std::string> needs_restart(const Config& started, const Config& now);

/// "providers added: x", "tenants changed: acme", "budgets changed" and the like; one line for each kind of thing that
/// differs. What needs_restart() tells is not among it.
std::vector<std::string> describe_changes(const Config& before, const Config& after);

}  // namespace weir::app
