#pragma once

#include "base/result.hpp"
#include "settings/node.hpp"
#include "settings/report.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace weir::settings {

/// Environment variables by name: comes in as an argument, so that a test can say what there is.
using Environment = std::map<std::string, std::string, std::less<>>;

/// Reads a whole small file for `${file:/path}`; an error's message tells why it could not.
using ReadFile = std::function<Result<std::string>(const std::string& path)>;

/// What the values of a config may draw on.
struct Sources {
  const Environment& environment;  // must outlive the call that it is passed to
  ReadFile read_file;
};

/// Replaces `$NAME` (the whole value only), `${NAME}`, `${NAME:-text}`, `${file:/path}` and `$$`. The result is text
/// and nothing else: it is never read as YAML, so a variable cannot bring in structure. What an expansion brings in is
/// not expanded again. An unset name is an error, since an empty credential or address would fail much later.
Result<std::string> expand_text(std::string_view text, const Sources& sources);

/// Expands every scalar of the tree that is still to be expanded; errors name line and path.
void expand(Node& node, const std::string& path, const Sources& sources, Report& report);

}  // namespace weir::settings
