#pragma once

#include <string>
#include <vector>

namespace weir::app {

/// Lines of columns for a terminal, each as wide as its widest cell; columns that hold numbers alone stand to the
/// right. What could steer the terminal becomes spaces (text/printable.hpp).
[[nodiscard]] std::string as_table(std::vector<std::vector<std::string>> rows);

}  // namespace weir::app
