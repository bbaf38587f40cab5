#include "settings/dotenv.hpp"

#include "settings/yaml_syntax.hpp"

#include <cctype>
#include <optional>

namespace weir::settings {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

bool is_name(std::string_view text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) != 0) {
    return false;
  }
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') {
      return false;
    }
  }
  return true;
}

/// Only blanks or a comment may follow a closing quote.
bool nothing_follows(std::string_view rest) {
  rest = trimmed(rest);
  return rest.empty() || rest.starts_with('#');
}

std::optional<std::string> double_quoted(std::string_view text) {
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      return nothing_follows(text.substr(i + 1)) ? std::optional(out) : std::nullopt;
    }
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      out += text[i] == 'n' ? '\n' : text[i];
    } else {
      out += text[i];
    }
  }
  return std::nullopt;
}

std::optional<std::string> value_of(std::string_view text) {
  if (text.starts_with('"')) {
    return double_quoted(text);
  }
  if (text.starts_with('\'')) {
    const std::size_t end = text.find('\'', 1);
    if (end == std::string_view::npos || !nothing_follows(text.substr(end + 1))) {
      return std::nullopt;
    }
    return std::string(text.substr(1, end - 1));
  }
  if (text.starts_with('#')) {
    return std::string();
  }
  // A # inside a value (passwords, URLs) is part of it; a comment has a blank before it.
  const std::size_t comment = text.find(" #");
  return std::string(trimmed(text.substr(0, comment)));
}

}  // namespace

Environment parse_dotenv(std::string_view text, const std::string& file, Report& report) {
  Environment environment;
  int number = 0;
  for (std::string_view line : split_lines(text)) {
    ++number;
    line = trimmed(line);
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    if (line.starts_with("export ")) {
      line = trimmed(line.substr(7));
    }
    const std::size_t equals = line.find('=');
    const std::string_view name = trimmed(line.substr(0, equals));
    std::optional<std::string> value;
    if (equals != std::string_view::npos && is_name(name)) {
      value = value_of(trimmed(line.substr(equals + 1)));
    }
    // The line itself may hold a secret: it is not shown.
    if (!value) {
      report.notice({file, number}, "", "ignored: not NAME=value");
      continue;
    }
    environment.insert_or_assign(std::string(name), std::move(*value));
  }
  return environment;
}

}  // namespace weir::settings
