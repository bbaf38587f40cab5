#include "providers/rate_limits.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string>

namespace weir::providers {

namespace {

using platform::Duration;
using platform::WallTime;

constexpr double seconds_max = 1e9;  // what is longer is no answer to "when"

std::optional<Duration> from_seconds(double seconds) {
  if (!(seconds >= 0) || seconds > seconds_max) {
    return std::nullopt;
  }
  return Duration(static_cast<std::int64_t>(seconds * 1e9));
}

/// The whole text as a number, or nothing.
std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  return whole ? std::optional(value) : std::nullopt;
}

struct Unit {
  std::string_view name;
  double seconds;
};
// The longer name first where one begins with the other.
constexpr std::array<Unit, 7> units{
    {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}};

/// Takes `<number><unit>` from the front.
std::optional<double> take_part(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || value < 0) {
    return std::nullopt;
  }
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (rest.starts_with(unit.name)) {
      text = rest.substr(unit.name.size());
      return value * unit.seconds;
    }
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// `pattern` is read against `text`: D day, B month's name, Y year of four digits, y of two, h m s, _ a blank or digit
/// of the day; everything else stands for itself.
std::optional<WallTime> match_date(std::string_view text, std::string_view pattern) {
  int day = 0;
  unsigned month = 0;
  int year = 0;
  std::array<int, 3> time{};
  const auto digits = [&](std::size_t count) -> std::optional<int> {
    if (text.size() < count) {
      return std::nullopt;
    }
    int value = 0;
    for (const char c : text.substr(0, count)) {
      if (c < '0' || c > '9') {
        return std::nullopt;
      }
      value = value * 10 + (c - '0');
    }
    text.remove_prefix(count);
    return value;
  };
  for (const char what : pattern) {
    std::optional<int> value;
    switch (what) {
      case 'D':
        value = digits(2);
        day = value.value_or(0);
        break;
      case '_':
        if (text.starts_with(' ')) {
          text.remove_prefix(1);
          value = digits(1);
        } else {
          value = digits(2);
        }
        day = value.value_or(0);
        break;
      case 'B': {
        const auto* found = std::ranges::find(months, text.substr(0, 3));
        if (found == months.end()) {
          return std::nullopt;
        }
        month = static_cast<unsigned>(found - months.begin()) + 1;
        text.remove_prefix(3);
        continue;
      }
      case 'Y':
        value = digits(4);
        year = value.value_or(0);
        break;
      case 'y':
        value = digits(2);
        year = value.value_or(0) + (value.value_or(0) < 70 ? 2000 : 1900);
        break;
      case 'h':
        value = digits(2);
        time[0] = value.value_or(0);
        break;
      case 'm':
        value = digits(2);
        time[1] = value.value_or(0);
        break;
      case 's':
        value = digits(2);
        time[2] = value.value_or(0);
        break;
      default:
        if (!text.starts_with(what)) {
          return std::nullopt;
        }
        text.remove_prefix(1);
        continue;
    }
    if (!value) {
      return std::nullopt;
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!text.empty() || !date.ok() || time[0] > 23 || time[1] > 59 || time[2] > 60) {
    return std::nullopt;
  }
  return WallTime(std::chrono::sys_days(date) + std::chrono::hours(time[0]) + std::chrono::minutes(time[1]) +
                  std::chrono::seconds(time[2]));
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  const auto value = number(text);
  return value && *value >= 0 && *value < 1e15 ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

std::optional<Duration> parse_reset(std::string_view text) {
  if (const auto seconds = number(text)) {
    return from_seconds(*seconds);
  }
  double sum = 0;
  do {
    const auto part = take_part(text);
    if (!part) {
      return std::nullopt;
    }
    sum += *part;
  } while (!text.empty());
  return from_seconds(sum);
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  const std::size_t comma = text.find(',');
  if (comma != std::string_view::npos) {
    const std::string_view rest = text.substr(comma + 1);
    const auto date = match_date(rest, " D B Y h:m:s GMT");
    return date ? date : match_date(rest, " D-B-y h:m:s GMT");
  }
  return text.size() > 3 ? match_date(text.substr(3), " B _ h:m:s Y") : std::nullopt;
}

std::optional<Duration> retry_after_of(const http::Headers& headers, WallTime now) {
  if (const auto milliseconds = number(headers.value(http::KnownHeader::retry_after_ms))) {
    return from_seconds(*milliseconds / 1e3);
  }
  const std::string_view text = headers.value(http::KnownHeader::retry_after);
  if (const auto seconds = number(text)) {
    return from_seconds(*seconds);
  }
  const auto until = parse_http_date(text);
  if (!until) {
    return std::nullopt;
  }
  const WallTime from = parse_http_date(headers.value(http::KnownHeader::date)).value_or(now);
  return from_seconds(std::max(0.0, std::chrono::duration<double>(*until - from).count()));
}

std::optional<Duration> retry_after_in(std::string_view message) {
  for (const std::string_view opening : {"try again in ", "retry after ", "retry in "}) {
    const auto found = std::ranges::search(message, opening, {}, lower);
    if (found.empty()) {
      continue;
    }
    std::string_view text(found.end(), message.end());
    double sum = 0;
    bool any = false;
    while (const auto part = take_part(text)) {
      sum += *part;
      any = true;
    }
    if (any) {
      return from_seconds(sum);
    }
    const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789."));
    const std::string_view unit = text.substr(digits.size());
    if (const auto value = number(digits)) {
      if (unit.starts_with(" second")) {
        return from_seconds(*value);
      }
      if (unit.starts_with(" minute")) {
        return from_seconds(*value * 60);
      }
      if (unit.starts_with(" millisecond")) {
        return from_seconds(*value / 1e3);
      }
    }
  }
  return std::nullopt;
}

RateLimits read_rate_limits(const http::Headers& headers, WallTime now) {
  RateLimits limits{.retry_after = retry_after_of(headers, now), .requests = {}, .tokens = {}};
  constexpr std::string_view prefix = "x-ratelimit-";
  for (const http::Header& header : headers) {
    if (header.known != http::KnownHeader::other || header.name.size() <= prefix.size() ||
        !http::iequals(header.name.substr(0, prefix.size()), prefix)) {
      continue;
    }
    const std::string_view what = header.name.substr(prefix.size());
    if (http::iequals(what, "remaining-requests")) {
      limits.requests.remaining = whole_number(header.value);
    } else if (http::iequals(what, "remaining-tokens")) {
      limits.tokens.remaining = whole_number(header.value);
    } else if (http::iequals(what, "reset-requests")) {
      limits.requests.reset = parse_reset(header.value);
    } else if (http::iequals(what, "reset-tokens")) {
      limits.tokens.reset = parse_reset(header.value);
    }
  }
  return limits;
}

}  // namespace weir::providers
