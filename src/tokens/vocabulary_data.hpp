#pragma once

#include <string_view>

#include "tokens/encoding.hpp"

namespace weir::tokens {

/// The published vocabulary as it stands in the binary: a JSON document with the member `bpe_ranks`. Empty where the
/// build had none. Reading it brings its pages into memory.
[[nodiscard]] std::string_view vocabulary_data(Encoding encoding);

/// Gives the memory of its pages back, until it is read again.
void forget_vocabulary_data(Encoding encoding);

}  // namespace weir::tokens
