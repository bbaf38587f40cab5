#include <fmt/format.h>

#include "app/check_reasons.hpp"
#include "app/commands.hpp"
#include "app/node.hpp"
#include "app/options.hpp"
#include "app/start.hpp"
#include "net/cores.hpp"
#include "observe/silent_log.hpp"

namespace weir::app {

int check(const CheckOptions& options) {
  const Start start = read_start(options.config, false, store_may_hold_keys);
  for (const std::string& line : start.found) {
    fmt::print("{}\n", line);
  }
  if (!start.outcome.config) {
    return 2;
  }
  const Config& config = *start.outcome.config;
  if (!options.explain_model.empty()) {
    const auto explained = explain_effective(start.outcome, options.explain_model);
    if (!explained) {
      fmt::print(stderr, "weir check: {}\n", explained.error().message);
      return 1;
    }
    fmt::print("{}", *explained);
    return 0;
  }
  const auto usable = std::ranges::count_if(config.providers, &ProviderConfig::enabled);
  fmt::print("{} is good: {} of {} providers on, {} models, {} patterns, listening on {}.\n",
             config.file.empty() ? "The start without a configuration file" : config.file, usable,
             config.providers.size(), config.models.exact.size(), config.models.patterns.size(),
             to_string(config.listen.front()));
  for (const std::string& line : worst_cases(config)) {
    fmt::print("  {}\n", line);
  }
  for (const std::string& line : unreachable(start.outcome)) {
    fmt::print("without effect: {}\n", line);
  }
  return 0;
}

int help_options(const HelpOptions& options) {
  fmt::print("{}", options.markdown ? options_markdown() : options_help());
  return 0;
}

int help_endpoints() {
  observe::SilentLog log;
  net::Cores cores(1);
  const Node node(cores.loops(), std::make_shared<const Config>(), log);
  for (const auto& entry : node.registry().entries()) {
    fmt::print("{:5} {:28} {}\n", entry.endpoint.method, entry.endpoint.path, entry.endpoint.summary);
  }
  return 0;
}

}  // namespace weir::app
