#pragma once

#include <string>

namespace weir::settings {

/// Where a value comes from: a line of a file, or (line 0) the name of an environment variable.
struct Origin {
  std::string source;  // file name as the user gave it, or the variable's name
  int line = 0;        // counted from 1; 0: no line
  friend bool operator==(const Origin&, const Origin&) = default;
};

/// `weir.yaml:14`, or the source alone where there is no line.
std::string to_string(const Origin& origin);

}  // namespace weir::settings
