#include "http/target.hpp"

#include "http/characters.hpp"
#include "http/headers.hpp"

namespace weir::http {
namespace {

// After an IPv6 address or a name: nothing, or ":" and a port of at most five digits (RFC 3986 lets it be empty).
bool is_port_suffix(std::string_view text) {
  return text.empty() || (text.front() == ':' && text.size() <= 6 && all_in(text.substr(1), characters::digit));
}

bool is_bracketed_address(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos || close < 3) {
    return false;
  }
  for (const char c : text.substr(1, close - 1)) {
    if (!is_in(c, characters::hex) && c != ':' && c != '.') {
      return false;
    }
  }
  return is_port_suffix(text.substr(close + 1));
}

// Path and query of a text that begins with "/" or "?", or is empty.
bool split_path(std::string_view text, Target& target) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* p = begin;
  while (p != end && is_in(*p, characters::path)) {
    ++p;
  }
  target.path = {begin, static_cast<std::size_t>(p - begin)};
  if (p == end) {
    return true;
  }
  if (*p != '?') {
    return false;
  }
  ++p;
  target.has_query = true;
  target.query = {p, static_cast<std::size_t>(end - p)};
  return all_in(target.query, characters::query);
}

}  // namespace

std::optional<Target> split_target(std::string_view text) {
  Target target;
  if (text.starts_with('/')) {
    return split_path(text, target) ? std::optional(target) : std::nullopt;
  }
  if (text == "*") {
    target.form = TargetForm::asterisk;
    target.path = text;
    return target;
  }
  target.form = TargetForm::absolute;
  constexpr std::string_view http = "http://";
  constexpr std::string_view https = "https://";
  if (iequals(text.substr(0, http.size()), http)) {
    text.remove_prefix(http.size());
  } else if (iequals(text.substr(0, https.size()), https)) {
    text.remove_prefix(https.size());
  } else {
    return std::nullopt;
  }
  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  target.authority = text.substr(0, authority_end);
  if (!is_valid_authority(target.authority) || !split_path(text.substr(authority_end), target)) {
    return std::nullopt;
  }
  if (target.path.empty()) {
    target.path = "/";
  }
  return target;
}

bool is_valid_authority(std::string_view text) {
  if (text.starts_with('[')) {
    return is_bracketed_address(text);
  }
  const std::size_t name_end = std::min(text.find(':'), text.size());
  return name_end > 0 && all_in(text.substr(0, name_end), characters::host) && is_port_suffix(text.substr(name_end));
}

bool percent_decode(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('%'), text.size());
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) {
      return true;
    }
    const int high = text.size() < 3 ? -1 : hex_value(text[1]);
    const int low = text.size() < 3 ? -1 : hex_value(text[2]);
    const int byte = high * 16 + low;
    if (high < 0 || low < 0 || byte < 0x20 || byte == 0x7f) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(byte));
    text.remove_prefix(3);
  }
  return true;
}

std::optional<std::string_view> PathSegments::next() {
  if (!rest_.starts_with('/')) {
    return std::nullopt;
  }
  rest_.remove_prefix(1);
  const std::size_t end = std::min(rest_.find('/'), rest_.size());
  const std::string_view segment = rest_.substr(0, end);
  rest_.remove_prefix(end);
  return segment;
}

bool has_dot_segment(std::string_view path) {
  PathSegments segments(path);
  while (const auto segment = segments.next()) {
    std::string_view rest = *segment;
    std::size_t dots = 0;
    while (!rest.empty()) {
      const bool escaped = rest.size() >= 3 && iequals(rest.substr(0, 3), "%2e");
      if (!escaped && rest.front() != '.') {
        break;
      }
      ++dots;
      rest.remove_prefix(escaped ? 3 : 1);
    }
    if (rest.empty() && (dots == 1 || dots == 2)) {
      return true;
    }
  }
  return false;
}

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == query.size() ? end : end + 1);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name && !pair.empty()) {
      return equals == pair.size() ? std::string_view{} : pair.substr(equals + 1);
    }
  }
  return std::nullopt;
}

}  // namespace weir::http
