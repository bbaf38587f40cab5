#include "api/registry.hpp"

#include <algorithm>

namespace weir::api {

namespace {

/// What stands behind the braces.
std::string_view suffix_of(std::string_view pattern) {
  return pattern.substr(std::min(pattern.size(), pattern.find('}') + 1));
}

/// True where `path` is the endpoint's; `rest` is then what its `{...}` stands for.
bool matches(std::string_view pattern, std::string_view path, std::string_view& rest) {
  const std::size_t brace = pattern.find('{');
  if (brace == std::string_view::npos) {
    return pattern == path;
  }
  const std::string_view suffix = suffix_of(pattern);
  if (!path.starts_with(pattern.substr(0, brace)) || !path.ends_with(suffix) || path.size() <= brace + suffix.size()) {
    return false;
  }
  rest = path.substr(brace, path.size() - brace - suffix.size());
  return suffix.empty() || !rest.contains('/');
}

}  // namespace

Registry::Match Registry::find(std::string_view method, std::string_view path) const {
  Match match;
  bool closer =
      false;  // an endpoint with more behind its braces has this path, so its last segment is no part of an id
  for (const Entry& entry : entries_) {
    std::string_view rest;
    if (!matches(entry.endpoint.path, path, rest) || (closer && rest.contains('/'))) {
      continue;
    }
    closer = closer || (!rest.empty() && !suffix_of(entry.endpoint.path).empty());
    if (entry.endpoint.method == method || (method == "HEAD" && entry.endpoint.method == "GET")) {
      match.entry = &entry;
      match.rest = rest;
      return match;
    }
    if (!match.allowed_methods.empty()) {
      match.allowed_methods += ", ";
    }
    match.allowed_methods += entry.endpoint.method;
    if (entry.endpoint.method == "GET") {
      match.allowed_methods += ", HEAD";
    }
  }
  return match;
}

}  // namespace weir::api
