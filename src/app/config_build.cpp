#include <fmt/format.h>

#include "app/config_builder.hpp"
#include "app/config_policy.hpp"

namespace weir::app {

using settings::Report;
using settings::Section;

namespace {

/// A provider at our own address would send each call round in a circle.
void refuse_circles(const Config& config, const Section& root, Report& report) {
  for (const ProviderConfig& provider : config.providers) {
    if (points_at(config.listen, provider.base_url)) {
      const Section section = root.at("providers").named(provider.name);
      report.error(section.origin("base_url"), section.path() + ".base_url",
                   fmt::format("{} is where weir itself listens", provider.base_url.text));
    }
  }
}

}  // namespace

Config build_config(const Section& root, Report& report, std::vector<ModelValues>& models) {
  Config config;
  build_server(root, report, config);
  build_store(root, report, config);
  build_auth(root, report, config);
  config.timeouts = effective_timeouts({root});
  config.retry = effective_retry({root});
  config.providers = build_providers(root, report);
  config.models = build_models(root, config.providers, report, models);
  if (config.providers.empty()) {
    report.notice({.source = root.origin().source}, "providers", "there is none, so no call can be answered");
  }
  build_limits(root, report, config);
  build_prices(root, report, config);
  refuse_circles(config, root, report);
  return config;
}

}  // namespace weir::app
