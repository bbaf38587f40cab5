#include "app/config_builder.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "settings/units.hpp"

namespace weir::app {

namespace {

using limits::Unit;
using limits::WindowLimit;
using settings::Report;
using settings::Section;

constexpr std::int64_t amount_max = 1'000'000'000'000;

/// "100/60s", "50000/1m", "10/s".
std::optional<WindowLimit> parse_limit(std::string_view text, Unit unit) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto amount = settings::parse_integer(text.substr(0, slash));
  const std::string_view window = text.substr(slash + 1);
  const bool unit_alone = !window.empty() && window.find_first_of("0123456789") == std::string_view::npos;
  const auto length = settings::parse_duration(unit_alone ? fmt::format("1{}", window) : std::string(window));
  if (!amount || *amount < 1 || *amount > amount_max || !length || length->count() < 1) {
    return std::nullopt;
  }
  return WindowLimit{.unit = unit, .amount = *amount, .window = *length};
}

void add_window(const Section& who, const char* name, Unit unit, bool with_default, Report& report,
                limits::LimitSet& set) {
  if (!who.has(name) && !with_default) {
    return;
  }
  const std::string text = who.text(name);
  if (text.empty() || text == "none") {
    return;
  }
  if (const auto limit = parse_limit(text, unit)) {
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
