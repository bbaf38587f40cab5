#pragma once

#include "settings/origin.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::settings {

/// One thing to tell about a config: `weir.yaml:14: models.smart.steps[0]: no provider is named "opnai"`.
struct Problem {
  Origin where;
  std::string path;     // dotted; empty for what concerns the file as a whole
  std::string message;  // what was found, what is allowed, the likely cure
};
std::string to_string(const Problem& problem);

/// Collects everything there is to say about a config, so that a reader sees all of it at once. Not thread-safe.
class Report {
 public:
  void error(Origin where, std::string path, std::string message);
  void notice(Origin where, std::string path, std::string message);

  [[nodiscard]] bool failed() const { return !errors_.empty(); }
  /// In the order of the lines; what has no line comes last.
  [[nodiscard]] std::vector<std::string> errors() const;
  [[nodiscard]] std::vector<std::string> notices() const;

 private:
  std::vector<Problem> errors_;
  std::vector<Problem> notices_;
};

/// `a.b`, or `b` alone where `path` is empty.
std::string join_path(std::string_view path, std::string_view name);
/// `path[3]`.
std::string item_path(std::string_view path, std::size_t index);

}  // namespace weir::settings
