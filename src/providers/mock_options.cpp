#include "providers/mock_options.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace weir::providers {

namespace {

constexpr std::array<std::pair<std::string_view, MockFaultKind>, 8> fault_names = {{
    {"none", MockFaultKind::none},
    {"status", MockFaultKind::status},
    {"reset", MockFaultKind::reset},
    {"stall", MockFaultKind::stall},
    {"cut", MockFaultKind::cut},
    {"malformed", MockFaultKind::malformed},
    {"no_done", MockFaultKind::no_done},
    {"error_event", MockFaultKind::error_event},
}};

template <class Number>
bool read_number(std::string_view text, Number& out, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most)) {
    return false;
  }
  out = value;
  return true;
}

/// "250ms", "2s"; a plain number is seconds.
bool read_duration(std::string_view text, std::chrono::milliseconds& out) {
  double factor = 1000;
  if (text.ends_with("ms")) {
    factor = 1;
    text.remove_suffix(2);
  } else if (text.ends_with('s')) {
    text.remove_suffix(1);
  }
  double value = 0;
  if (!read_number(text, value, 0.0, 1e7)) {
    return false;
  }
  out = std::chrono::milliseconds(static_cast<std::int64_t>(value * factor));
  return true;
}

bool read_flag(std::string_view text, bool& out) {
  if (text != "true" && text != "false" && !text.empty()) {
    return false;
  }
  out = text != "false";
  return true;
}

bool read_fault(std::string_view text, MockFaultKind& out) {
  for (const auto& [name, kind] : fault_names) {
    if (name == text) {
      out = kind;
      return true;
    }
  }
  return false;
}

enum class Reading : std::uint8_t { ok, bad_value, unknown };

Reading apply(MockOptions& options, std::string_view name, std::string_view value) {
  const auto judged = [](bool good) { return good ? Reading::ok : Reading::bad_value; };
  constexpr int many = 1'000'000;
  if (name == "first_token")
    return judged(read_duration(value, options.first_token));
  if (name == "tokens_per_second")
    return judged(read_number(value, options.tokens_per_second, 0.0, 1e9));
  if (name == "text")
    return options.text = value, Reading::ok;
  if (name == "echo")
    return judged(read_flag(value, options.echo));
  if (name == "event_tokens")
    return judged(read_number(value, options.event_tokens, 1, many));
  if (name == "tool_calls")
    return judged(read_flag(value, options.tool_calls));
  if (name == "usage")
    return judged(read_flag(value, options.usage));
  if (name == "fault")
    return judged(read_fault(value, options.fault.kind));
  if (name == "status")
    return judged(read_number(value, options.fault.status, 400, 599));
  if (name == "retry_after")
    return judged(read_duration(value, options.fault.retry_after.emplace()));
  if (name == "after_events")
    return judged(read_number(value, options.fault.after_events, 0, many));
  if (name == "every")
    return judged(read_number(value, options.fault.every, 0, many));
  if (name == "rate") {
    options.fault.every = 0;
    return judged(read_number(value, options.fault.rate, 0.0, 1.0));
  }
  return Reading::unknown;
}

}  // namespace

Result<MockOptions> with_overrides(MockOptions options, std::string_view words) {
  bool first = true;
  while (!words.empty()) {
    const std::size_t comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    words = comma == std::string_view::npos ? std::string_view() : words.substr(comma + 1);
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    const Reading reading = apply(options, name, value);
    if (reading == Reading::bad_value) {
      return fail(Code::invalid_request, fmt::format("mock: `{}` is not a value of `{}`", value, name));
    }
    if (reading == Reading::unknown && (!first || equals != std::string_view::npos)) {
      return fail(
          Code::invalid_request,
          fmt::format(
              "mock: there is no setting `{}`; there are text, echo, first_token, tokens_per_second, event_tokens, "
              "tool_calls, usage, fault, status, retry_after, after_events, every and rate",
              name));
    }
    first = false;
  }
  return options;
}

}  // namespace weir::providers
