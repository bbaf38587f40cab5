#pragma once

#include <string>
#include <string_view>

namespace weir::text {

/// `text` as it may be shown on a terminal: a space in the place of each character that could steer one (the control
/// characters, U+0080 to U+009F too), that changes the direction of what follows, that breaks the line, and of each
/// byte that is not UTF-8.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace weir::text
