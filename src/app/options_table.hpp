#pragma once

#include "settings/schema.hpp"

#include <string>
#include <string_view>
#include <vector>

// The parts of the option table, one function for each group; options.cpp puts them together.

namespace weir::app {

using OptionTable = std::vector<settings::Option>;

void add_server_options(OptionTable& table);    // listen, server, log, data_dir, app
void add_auth_options(OptionTable& table);      // auth
void add_provider_options(OptionTable& table);  // providers, http_client
void add_tls_options(OptionTable& table);       // tls, providers.*.tls
void add_model_options(OptionTable& table);     // models, default_model
void add_price_options(OptionTable& table);     // prices
void add_store_options(OptionTable& table);     // store
void add_limit_options(OptionTable& table);     // limits, budgets, quotas, tenants
/// limits, budgets and quotas below `owner` ("tenants.*").
void add_allowance_options(OptionTable& table, const std::string& owner);
void add_mock_options(OptionTable& table);   // providers.*.mock
void add_later_options(OptionTable& table);  // what is accepted but not built yet

/// timeouts, retry and circuit_breaker below `prefix` ("providers.*."); the empty prefix is the level that documents
/// them.
void add_policy_options(OptionTable& table, std::string_view prefix);

}  // namespace weir::app
