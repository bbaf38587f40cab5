#include "settings/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

namespace weir::settings {

namespace {

std::vector<std::string> in_line_order(const std::vector<Problem>& problems) {
  std::multimap<int, std::string> sorted;  // equal lines stay in the order of discovery
  for (const Problem& problem : problems) {
    sorted.emplace(problem.where.line > 0 ? problem.where.line : std::numeric_limits<int>::max(), to_string(problem));
  }
  std::vector<std::string> lines;
  for (auto& [line, text] : sorted) {
    // The same sentence about the same line would come twice where an anchor is used twice.
    if (std::ranges::find(lines, text) == lines.end()) {
      lines.push_back(std::move(text));
    }
  }
  return lines;
}

/// What a config holds may contain line ends and terminal sequences; a message has neither.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\n') {
      out += "\\n";
    } else if (byte < ' ' || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string to_string(const Origin& origin) {
  return origin.line > 0 ? fmt::format("{}:{}", origin.source, origin.line) : origin.source;
}

std::string to_string(const Problem& problem) {
  if (problem.path.empty()) {
    return on_one_line(fmt::format("{}: {}", to_string(problem.where), problem.message));
  }
  return on_one_line(fmt::format("{}: {}: {}", to_string(problem.where), problem.path, problem.message));
}

void Report::error(Origin where, std::string path, std::string message) {
  errors_.push_back({std::move(where), std::move(path), std::move(message)});
}

void Report::notice(Origin where, std::string path, std::string message) {
  notices_.push_back({std::move(where), std::move(path), std::move(message)});
}

std::vector<std::string> Report::errors() const {
  return in_line_order(errors_);
}

std::vector<std::string> Report::notices() const {
  return in_line_order(notices_);
}

std::string join_path(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

std::string item_path(std::string_view path, std::size_t index) {
  return fmt::format("{}[{}]", path, index);
}

}  // namespace weir::settings
