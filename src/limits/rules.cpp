#include "limits/rules.hpp"

#include "settings/json_members.hpp"
#include "settings/units.hpp"
#include "text/json_scan.hpp"

namespace weir::limits {

namespace {

constexpr std::int64_t amount_max = 1'000'000'000'000;
constexpr std::int64_t in_flight_max = 1'000'000;

Result<void> wrong_window(const std::string& path, std::string_view text) {
  return fail(Code::invalid_request, path + ": \"" + std::string(text) +
                                         "\" is no limit; write a number and a span of time, for example 100/60s");
}

Result<void> add_window(const text::JsonValue& value, const std::string& path, Unit unit, Rules& rules) {
  if (value.kind != text::JsonKind::string) {
    return wrong_window(path, value.raw);
  }
  const std::string text = text::unescape_lossy(value.string_raw());
  const auto limit = parse_window(text, unit);
  if (!limit) {
    return wrong_window(path, text);
  }
  if (rules.windows.size() == windows_max) {
    return fail(Code::invalid_request, path + ": there are more than " + std::to_string(windows_max) + " limits");
  }
  for (const WindowLimit& other : rules.windows) {
    if (other.unit == unit && other.window == limit->window) {
      return fail(Code::invalid_request, path + ": two limits have the same span of time");
    }
  }
  rules.windows.push_back(*limit);
  return {};
}

Result<void> add_windows(const text::JsonValue& value, const std::string& path, Unit unit, Rules& rules) {
  if (value.kind == text::JsonKind::null) {
    return {};
  }
  if (value.kind != text::JsonKind::array) {
    return add_window(value, path, unit, rules);
  }
  Result<void> result;
  text::for_each_element(value.raw, [&](const text::JsonValue& element) {
    result = add_window(element, path, unit, rules);
    return result.has_value();
  });
  return result;
}

}  // namespace

std::optional<WindowLimit> parse_window(std::string_view text, Unit unit) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto amount = settings::parse_integer(text.substr(0, slash));
  const std::string_view window = text.substr(slash + 1);
  const bool unit_alone = !window.empty() && window.find_first_of("0123456789") == std::string_view::npos;
  const auto length = settings::parse_duration((unit_alone ? "1" : "") + std::string(window));
  if (!amount || *amount < 1 || *amount > amount_max || !length || length->count() < 1) {
    return std::nullopt;
  }
  return WindowLimit{.unit = unit, .amount = *amount, .window = *length};
}

Result<Rules> parse_rules(std::string_view json, std::string_view path) {
  Rules rules;
  if (json.empty() || json == "null") {
    return rules;
  }
  const auto read = settings::read_members(
      json, path, {"requests", "tokens", "in_flight"},
      [&](std::string_view name, const text::JsonValue& value) -> Result<void> {
        const std::string at = settings::member_path(path, name);
        if (name != "in_flight") {
          return add_windows(value, at, name == "requests" ? Unit::requests : Unit::tokens, rules);
        }
        const auto calls = text::to_int64(value);
        if (value.kind != text::JsonKind::null && (!calls || *calls < 1 || *calls > in_flight_max)) {
          return fail(Code::invalid_request,
                      at + " is no number of calls between 1 and " + std::to_string(in_flight_max));
        }
        rules.in_flight = calls.value_or(0);
        return {};
      });
  if (!read) {
    return std::unexpected(read.error());
  }
  return rules;
}

}  // namespace weir::limits
