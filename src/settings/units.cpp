#include "settings/units.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace weir::settings {

namespace {

struct Split {
  std::string_view number;
  std::string_view unit;
};

Split split_unit(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == '.')) {
    ++end;
  }
  return {text.substr(0, end), text.substr(end)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 6> units{
      {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3'600e3}, {"d", 86'400e3}, {"", 1e3}}};
  constexpr double longest = 3'650 * 86'400e3;
  const auto [digits, unit] = split_unit(text);
  const auto number = parse_number(digits);
  if (!number) {
    return std::nullopt;
  }
  for (const auto& [name, milliseconds] : units) {
    if (unit == name) {
      const double total = *number * milliseconds;
      if (total > longest) {
        return std::nullopt;
      }
      return std::chrono::milliseconds(std::llround(total));
    }
  }
  return std::nullopt;
}

std::string to_text(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  constexpr std::array<std::pair<std::int64_t, std::string_view>, 3> units{
      {{3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}}};
  for (const auto& [milliseconds, name] : units) {
    if (count != 0 && count % milliseconds == 0) {
      return fmt::format("{}{}", count / milliseconds, name);
    }
  }
  return count == 0 ? "0s" : fmt::format("{}ms", count);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 8> units{{{"", 1},
                                                                      {"b", 1},
                                                                      {"kib", 1024},
                                                                      {"mib", 1024.0 * 1024},
                                                                      {"gib", 1024.0 * 1024 * 1024},
                                                                      {"kb", 1e3},
                                                                      {"mb", 1e6},
                                                                      {"gb", 1e9}}};
  const auto [digits, unit] = split_unit(text);
  const auto number = parse_number(digits);
  if (!number) {
    return std::nullopt;
  }
  for (const auto& [name, bytes] : units) {
    if (lower(unit) == name) {
      const double total = *number * bytes;
      if (total > 1e15 || total != std::floor(total)) {
        return std::nullopt;
      }
      return static_cast<std::uint64_t>(total);
    }
  }
  return std::nullopt;
}

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true" || word == "yes" || word == "on" || word == "1") {
    return true;
  }
  if (word == "false" || word == "no" || word == "off" || word == "0") {
    return false;
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool groups = text[i] == '_' && i > 0 && i + 1 < text.size();
    if (!groups) {
      digits.push_back(text[i]);
    }
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace weir::settings
