#pragma once

#include "settings/node.hpp"
#include "settings/report.hpp"
#include "settings/schema.hpp"

#include <string>

namespace weir::settings {

/// Compares a tree as it was written with the schema: unknown keys (with the nearest name), lists where a value
/// belongs, YAML's traps in names; one notice for each section or option that this version accepts without acting on
/// it. Values are left to check_values, since an overlay or an environment variable may still replace them.
struct ShapeOptions {
  bool notices = true;  // off for parts that are not in use
};
void check_shape(Node& root, const Schema& schema, const std::string& path, Report& report, ShapeOptions options = {});

/// Checks each value of the merged and expanded tree against type, bounds and words; a bad one is marked so.
void check_values(Node& root, const Schema& schema, Report& report);

/// True for words that YAML 1.1 reads as a boolean or null when they stand without quotes (`on`, `no`, `~` ...).
bool is_yaml_trap(std::string_view word);

}  // namespace weir::settings
