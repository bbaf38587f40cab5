#pragma once

#include "app/config_load.hpp"
#include "settings/report.hpp"
#include "settings/section.hpp"

namespace weir::app {

// The typed Config from a tree that was checked option by option. What one option alone cannot tell is checked here:
// names that refer to each other, addresses, credentials. Goes on after errors, with defaults, to find all of them.

/// From a tree as it was written to the outcome: overlays, environment, expansion, checks, building. `report` may hold
/// what was found before.
ConfigOutcome finish_config(settings::Node root, const std::string& name, const settings::Sources& sources,
                            settings::Report& report, const AskStore& may_hold_keys = {});

/// Everything. `models` is filled for explain_effective.
Config build_config(const settings::Section& root, settings::Report& report, std::vector<ModelValues>& models);

/// The parts, each in its own file.
std::vector<ProviderConfig> build_providers(const settings::Section& root, settings::Report& report);
routing::ModelTable build_models(const settings::Section& root, const std::vector<ProviderConfig>& providers,
                                 settings::Report& report, std::vector<ModelValues>& models);
ProviderTls build_provider_tls(const settings::Section& provider, const BaseUrl& url, settings::Report& report);
/// Finds the proxy of each provider: `http_client.proxy`, or the variables that other programs honour too.
void choose_proxies(const settings::Section& root, const settings::Environment& environment, settings::Report& report,
                    Config& config);
/// Reads and checks the files that the options about TLS name: a bad one stops the start and not the first call.
void read_tls_files(const settings::Section& root, const settings::ReadFile& read_file, settings::Report& report,
                    Config& config);
/// The operator's prices, and whose built-in ones each provider has.
void build_prices(const settings::Section& root, settings::Report& report, Config& config);
/// Where calls are kept.
void build_store(const settings::Section& root, settings::Report& report, Config& config);
/// What callers may ask for.
void build_limits(const settings::Section& root, settings::Report& report, Config& config);
/// What one owner may use: `limits`, `budgets` and `quotas` below it.
gateway::Allowance build_allowance(const settings::Section& owner, settings::Report& report);
/// Who may call.
void build_auth(const settings::Section& root, settings::Report& report, Config& config);
/// Whether weir may listen where `config.listen` says; after the other parts.
void check_listen(const settings::Section& root, const AskStore& may_hold_keys, settings::Report& report,
                  const Config& config);
void build_server(const settings::Section& root, settings::Report& report, Config& config);

}  // namespace weir::app
