#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::app {

/// What weir knows about a word that may stand in `dialect`.
struct Preset {
  std::string_view word;      // as written in the config
  std::string_view dialect;   // the wire format behind it
  std::string_view base_url;  // its default; empty: the config must name it
  bool needs_key = true;      // at its default address
  bool built = true;          // this version speaks the dialect
};

/// The preset of that name, or null.
const Preset* find_preset(std::string_view word);

/// All words that `dialect` takes, dialects first.
std::vector<std::string> dialect_words();

}  // namespace weir::app
