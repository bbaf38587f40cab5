#include "admin/query_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "http/target.hpp"

namespace weir::admin {

std::optional<int> number_in(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error != std::errc() || end != text.data() + text.size() || text.starts_with('-') ? std::nullopt
                                                                                           : std::optional(value);
}

Result<std::string> parameter(std::string_view query, std::string_view name) {
  const auto raw = http::query_parameter(query, name);
  if (!raw) {
    return std::string();
  }
  std::string spaced(*raw);
  std::ranges::replace(spaced, '+', ' ');
  std::string text;
  if (!http::percent_decode(spaced, text)) {
    return fail(Code::invalid_request, fmt::format("`{}` is not escaped as a URL is.", name));
  }
  return text;
}

Result<int> read_limit(std::string_view query) {
  constexpr int most = 1000;
  const auto text = http::query_parameter(query, "limit");
  if (!text) {
    return 100;
  }
  const auto limit = number_in(*text);
  if (!limit || *limit < 1 || *limit > most) {
    return fail(Code::invalid_request, fmt::format("`limit` is a whole number from 1 to {}.", most));
  }
  return *limit;
}

Result<std::string> read_after(std::string_view query, bool (*is_cursor)(std::string_view)) {
  auto after = parameter(query, "after");
  if (after && !after->empty() && !is_cursor(*after)) {
    return fail(Code::invalid_request, "`after` is the `next` of the page before.");
  }
  return after;
}

Result<std::optional<bool>> read_flag_parameter(std::string_view query, std::string_view name) {
  const auto text = http::query_parameter(query, name);
  if (!text) {
    return std::optional<bool>();
  }
  if (*text != "true" && *text != "false") {
    return fail(Code::invalid_request, fmt::format("`{}` is true or false.", name));
  }
  return std::optional(*text == "true");
}

}  // namespace weir::admin
