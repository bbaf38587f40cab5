#include "api/accept.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace weir::api {

namespace {

/// 0 to 1000 from "0", "0.5", "1.000"; what is none counts as 1.
int read_quality(std::string_view text) {
  double value = 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1)) {
    return 1000;
  }
  return static_cast<int>(value * 1000);
}

struct Range {
  std::string_view type;
  int quality = 1000;
};

Range read_range(std::string_view element) {
  Range range;
  bool first = true;
  while (!element.empty()) {
    const std::size_t semicolon = element.find(';');
    const std::string_view part = http::trim(element.substr(0, semicolon));
    element.remove_prefix(semicolon == std::string_view::npos ? element.size() : semicolon + 1);
    if (std::exchange(first, false)) {
      range.type = part;
    } else if (part.size() > 2 && http::iequals(part.substr(0, 2), "q=")) {
      range.quality = read_quality(part.substr(2));
    }
  }
  return range;
}

/// 3: the very type, 2: its group, 1: anything, 0: another.
int closeness(std::string_view range, std::string_view type) {
  if (http::iequals(range, type)) {
    return 3;
  }
  if (range == "*/*") {
    return 1;
  }
  const std::size_t slash = type.find('/');
  return range.ends_with("/*") && http::iequals(range.substr(0, range.size() - 2), type.substr(0, slash)) ? 2 : 0;
}

}  // namespace

int quality_of(const http::Headers& headers, std::string_view type) {
  if (!headers.has(http::KnownHeader::accept)) {
    return 1000;
  }
  int closest = 0;
  int quality = 0;
  for (const http::Header& header : headers) {
    if (header.known != http::KnownHeader::accept) {
      continue;
    }
    http::for_each_element(header.value, [&](std::string_view element) {
      const Range range = read_range(element);
      const int close = closeness(range.type, type);
      if (close > closest || (close == closest && close > 0)) {
        quality = close > closest ? range.quality : std::max(quality, range.quality);
        closest = close;
      }
      return true;
    });
  }
  return quality;
}

bool wants_prometheus_text(const http::Headers& headers) {
  const int text = std::max(quality_of(headers, "text/plain"), quality_of(headers, "application/openmetrics-text"));
  return text > quality_of(headers, "application/json");
}

}  // namespace weir::api
