#include "settings/expand.hpp"

#include <fmt/format.h>
#include <utility>

#include <cctype>
#include <utility>

namespace weir::settings {

namespace {

bool begins_name(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// The length of the variable name at the beginning of `text`; 0: there is none.
std::size_t name_length(std::string_view text) {
  if (text.empty() || !begins_name(text[0])) {
    return 0;
  }
  std::size_t length = 1;
  while (length < text.size() &&
         (begins_name(text[length]) || std::isdigit(static_cast<unsigned char>(text[length])) != 0)) {
    ++length;
  }
  return length;
}

Result<std::string> variable(std::string_view name, const Sources& sources) {
  auto found = sources.environment.find(name);
  if (found == sources.environment.end()) {
    return fail(
        Code::invalid_request,
        fmt::format("the environment variable {0} is not set; set it, or write \"${{{0}:-}}\" if it may be absent",
                    name));
  }
  return found->second;
}

Result<std::string> file_contents(std::string_view path, const Sources& sources) {
  auto contents = sources.read_file(std::string(path));
  if (!contents) {
    return fail(Code::invalid_request, fmt::format("cannot read {}: {}", path, contents.error().message));
  }
  // Editors and `echo` end a secret's file with a line end that is no part of the secret.
  while (contents->ends_with('\n') || contents->ends_with('\r')) {
    contents->pop_back();
  }
  return contents;
}

/// What stands between `${` and `}`.
Result<std::string> braces(std::string_view inside, const Sources& sources) {
  if (inside.starts_with("file:")) {
    return file_contents(inside.substr(5), sources);
  }
  const std::size_t length = name_length(inside);
  const std::string_view name = inside.substr(0, length);
  const std::string_view rest = inside.substr(length);
  if (length > 0 && rest.empty()) {
    return variable(name, sources);
  }
  if (length > 0 && rest.starts_with(":-")) {
    // As in a shell, an empty variable counts as absent.
    auto found = sources.environment.find(name);
    return found != sources.environment.end() && !found->second.empty() ? found->second : std::string(rest.substr(2));
  }
  return fail(
      Code::invalid_request,
      fmt::format(
          "\"${{{}}}\" is no expansion; write ${{NAME}}, ${{NAME:-text}}, ${{file:/path}}, or $$ for a dollar sign",
          inside));
}

}  // namespace

Result<std::string> expand_text(std::string_view text, const Sources& sources) {
  if (text.starts_with('$') && text.size() > 1 && name_length(text.substr(1)) == text.size() - 1) {
    return variable(text.substr(1), sources);
  }
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) {
      break;
    }
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      out += '$';
      text.remove_prefix(1);
    } else if (text.starts_with('{')) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) {
        return fail(Code::invalid_request, "a \"${\" without its \"}\"; write $$ for a dollar sign");
      }
      auto value = braces(text.substr(1, end - 1), sources);
      if (!value) {
        return value;
      }
      out += *value;
      text.remove_prefix(end + 1);
    } else if (const std::size_t length = name_length(text); length > 0) {
      const std::string_view name = text.substr(0, length);
      return fail(
          Code::invalid_request,
          fmt::format("${0} stands inside a longer text, where only ${{{0}}} is expanded; write that, or $${0} for "
                      "a dollar sign",
                      name));
    } else {
      out += '$';
    }
  }
  return out;
}

void expand(Node& node, const std::string& path, const Sources& sources, Report& report) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    expand(node.items[i], item_path(path, i), sources, report);
  }
  for (Entry& entry : node.entries) {
    expand(entry.value, join_path(path, entry.key), sources, report);
  }
  if (node.kind != Node::Kind::scalar || !node.expandable) {
    return;
  }
  node.expandable = false;
  if (!node.text.contains('$')) {
    return;
  }
  auto expanded = expand_text(node.text, sources);
  if (!expanded) {
    report.error(node.origin, path, expanded.error().message);
    node.bad = true;
    return;
  }
  node.written = std::exchange(node.text, std::move(*expanded));
}

}  // namespace weir::settings
