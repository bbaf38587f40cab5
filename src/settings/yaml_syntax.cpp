#include "settings/yaml_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace weir::settings {

namespace {

std::string_view line_at(const std::vector<std::string_view>& lines, int line) {
  return line >= 0 && std::cmp_less(line, lines.size()) ? lines[static_cast<std::size_t>(line)] : std::string_view();
}

char char_at(std::string_view line, int column) {
  return column >= 0 && std::cmp_less(column, line.size()) ? line[static_cast<std::size_t>(column)] : '\0';
}

bool tab_in_indentation(std::string_view line) {
  const std::size_t text = line.find_first_not_of(" \t");
  return text != std::string_view::npos && line.substr(0, text).contains('\t');
}

/// The `${...}` that begins at `dollar`, for the cure.
std::string_view expansion_at(std::string_view line, std::size_t dollar) {
  const std::size_t end = line.find('}', dollar);
  return line.substr(dollar, end == std::string_view::npos ? end : end - dollar + 1);
}

/// The word that begins at `column`: up to a blank, comma or bracket.
std::string_view word_at(std::string_view line, int column) {
  const std::string_view rest = line.substr(static_cast<std::size_t>(column));
  std::size_t end = rest.find_first_of(" \t,]}#");
  if (end != std::string_view::npos && end == 0) {
    end = 1;
  }
  std::string_view word = rest.substr(0, end);
  while (word.size() > 1 && word.back() == ':') {
    word.remove_suffix(1);
  }
  return word;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> known{{
    {"illegal map value",
     "a \": \" where none can be; put a text that contains \": \" in quotes, and check the indentation of this line"},
    {"illegal block entry", "a \"- \" where none can be; check the indentation of this line"},
    {"illegal map key", "a key where none can be; check the indentation of this line"},
    {"end of map not found", "this line's indentation fits none of the lines above it"},
    {"end of sequence not found", "this line's indentation fits none of the lines above it"},
    {"end of map flow not found", "a \"{\" is not closed, or a text inside it needs quotes"},
    {"end of sequence flow not found", "a \"[\" is not closed, or a text inside it needs quotes"},
    {"illegal EOF in scalar", "a quoted text is never closed"},
    {"illegal flow end", "a closing bracket without its opening one"},
    {"unknown token", "a text cannot begin with this character; put it in quotes"},
    {"illegal tab when looking for indentation", "a tab in the indentation; YAML takes spaces only"},
    {"cannot assign multiple anchors to the same node", "a value with two anchors"},
}};

}  // namespace

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.push_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

SyntaxProblem explain_syntax(const std::vector<std::string_view>& lines, int line, int column, std::string_view said) {
  const std::string_view here = line_at(lines, line);
  if (tab_in_indentation(here)) {
    return {line + 1, "a tab in the indentation; YAML takes spaces only"};
  }
  // Inside [...] and {...} the brace of an unquoted ${X} opens a map.
  if (char_at(here, column) == '{' && char_at(here, column - 1) == '$') {
    const std::string_view expansion = expansion_at(here, static_cast<std::size_t>(column - 1));
    return {line + 1, fmt::format("inside [...] and {{...}} an expansion must stand in quotes: \"{}\"", expansion)};
  }
  for (const int place : {column, column - 1}) {
    if (char_at(here, place) == '*') {
      return {line + 1,
              fmt::format("a bare * begins a YAML alias; put the text in quotes: \"{}\"", word_at(here, place))};
    }
  }
  if (said.starts_with("unknown escape character")) {
    return {line + 1, "an unknown escape after a backslash; write '...' in single quotes, or double the backslash"};
  }
  for (const auto& [theirs, ours] : known) {
    if (said.starts_with(theirs)) {
      return {line + 1, std::string(ours)};
    }
  }
  return {line + 1, fmt::format("not readable as YAML: {}", said)};
}

bool quote_is_closed(const std::vector<std::string_view>& lines, int line, int column) {
  const char quote = char_at(line_at(lines, line), column);
  if (quote != '"' && quote != '\'') {
    return true;
  }
  std::size_t at = static_cast<std::size_t>(column) + 1;
  for (std::size_t row = static_cast<std::size_t>(line); row < lines.size(); ++row, at = 0) {
    for (; at < lines[row].size(); ++at) {
      const char c = lines[row][at];
      if (quote == '"' && c == '\\') {
        ++at;
      } else if (c == quote && quote == '\'' && at + 1 < lines[row].size() && lines[row][at + 1] == quote) {
        ++at;
      } else if (c == quote) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace weir::settings
