#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "settings/schema.hpp"

namespace weir::app {

/// For tests that walk all options: each can be set by a variable alone.

/// An example as a variable holds it: without YAML's brackets and quotes.
inline std::string as_variable_text(std::string text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    text = text.substr(1, text.size() - 2);
  }
  std::erase(text, '"');
  return text;
}

/// "providers.*.base_url" as WEIR_PROVIDERS__HOME__BASE_URL.
inline std::string as_variable_name(const std::string& path) {
  std::string name = "WEIR";
  std::string_view joint = "_";
  for (const std::string& part : settings::split_pattern(path)) {
    name.append(joint).append(part == "*" ? "HOME" : part);
    joint = "__";
  }
  std::ranges::transform(name, name.begin(),
                         [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
  return name;
}

}  // namespace weir::app
