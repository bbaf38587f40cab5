#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace weir::app {

/// What is wrong with the command line that `program` refused with `error`: the word that is not known and the nearest
/// one that is, and where to read on. Whole lines.
[[nodiscard]] std::string refusal_of(const CLI::App& program, const CLI::ParseError& error);

}  // namespace weir::app
