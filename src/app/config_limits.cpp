#include "app/config_builder.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "limits/rules.hpp"

namespace weir::app {

namespace {

using limits::Unit;
using settings::Report;
using settings::Section;

void add_window(const Section& who, const char* name, Unit unit, bool with_default, Report& report,
                limits::LimitSet& set) {
  if (!who.has(name) && !with_default) {
    return;
  }
  const std::string text = who.text(name);
  if (text.empty() || text == "none") {
    return;
  }
  if (const auto limit = limits::parse_window(text, unit)) {
    set.windows.push_back(*limit);
  } else {
    report.error(
        who.origin(name), who.path() + "." + name,
        fmt::format("\"{}\" is no limit; write a number and a span of time, for example 100/60s, or none", text));
  }
}

}  // namespace

void build_limits(const Section& root, Report& report, Config& config) {
  const Section who = root.at("limits").at("without_key");
  // Where a key is required, calls without one come from a gateway that has no keys: its owner's, on this machine.
  add_window(who, "requests", Unit::requests, config.auth.mode == AuthMode::optional, report, config.without_key);
  add_window(who, "tokens", Unit::tokens, false, report, config.without_key);
  config.without_key.in_flight = who.has("in_flight") ? who.integer("in_flight") : 0;
}

}  // namespace weir::app
