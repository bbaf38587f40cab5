#pragma once

#include "settings/node.hpp"
#include "settings/report.hpp"

#include <string>
#include <string_view>

namespace weir::settings {

/// Reads one YAML document into a tree with the line of each value.
///
/// Keys that stand twice, several documents, unknown anchors and broken syntax go to `report`, in words that name the
/// cure; what could be read is returned all the same, so that further errors can be found. Anchors, aliases and merge
/// keys (`<<`) work. Quoting is remembered: whether `on` is a word or a boolean is decided by who knows the option.
Node parse_yaml(std::string_view text, const std::string& file, Report& report);

}  // namespace weir::settings
