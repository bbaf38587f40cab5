#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::settings {

/// A mistake in the text itself and the line (counted from 1) to show for it.
struct SyntaxProblem {
  int line = 1;
  std::string message;
};

/// The lines of a text, without their ends. Views into `text`.
std::vector<std::string_view> split_lines(std::string_view text);

/// Turns what the YAML parser said about line and column (both counted from 0) into words with a cure: most of its
/// complaints come from a handful of traps that it cannot know of.
SyntaxProblem explain_syntax(const std::vector<std::string_view>& lines, int line, int column, std::string_view said);

/// True where the quoted text that opens at this place is closed somewhere. The YAML parser takes the end of the file
/// for the missing quote and says nothing.
bool quote_is_closed(const std::vector<std::string_view>& lines, int line, int column);

}  // namespace weir::settings
