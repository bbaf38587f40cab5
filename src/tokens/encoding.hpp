#pragma once

#include <cstdint>
#include <string_view>

namespace weir::tokens {

/// The vocabularies that weir can count with exactly.
enum class Encoding : std::uint8_t { cl100k_base, o200k_base };
std::string_view to_string(Encoding encoding);

/// Which one a model's provider counts with.
struct EncodingChoice {
  Encoding encoding = Encoding::o200k_base;
  bool known = false;  // false: the model's own vocabulary is not published, and a count with this one is an estimate
};
/// `model`: as the provider names it ("gpt-4o-2024-08-06", "ft:gpt-4o-mini:org:name:id", "openai/gpt-4.1").
EncodingChoice encoding_of(std::string_view model);

}  // namespace weir::tokens
