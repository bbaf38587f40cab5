#pragma once

#include <string>
#include <vector>

namespace weir::app {

/// Lines of columns for a terminal, each as wide as its widest cell; columns that hold numbers alone stand to the
/// right. Control characters of a cell become spaces.
[[nodiscard]] std::string as_table(std::vector<std::vector<std::string>> rows);

}  // namespace weir::app
