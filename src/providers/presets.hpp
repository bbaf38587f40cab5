#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai/prefill.hpp"

namespace weir::providers {

/// How a provider is brought to tell the usage of a stream.
enum class StreamUsage : std::uint8_t {
  ask,      // by OpenAI's stream_options.include_usage
  unasked,  // it comes by itself; the option is refused, so it is taken out of what goes up
};

/// What one company or server does otherwise than its dialect says, as far as weir has to act on it.
struct Quirks {
  StreamUsage stream_usage = StreamUsage::ask;
  /// A header of the caller's that must not reach it; empty: none.
  std::string_view withheld_header;
  /// How it goes on with the beginning of an answer, for `recovery: prefill`.
  openai::Prefill prefill = openai::Prefill::none;
  /// It knows a repeated call by the header Idempotency-Key.
  bool idempotency_key = false;
  /// It takes max_completion_tokens for the longest answer, and refuses max_tokens with some models.
  bool max_completion_tokens = false;
  friend bool operator==(const Quirks&, const Quirks&) = default;
};

/// What weir knows about a word that may stand in `dialect`.
struct Preset {
  std::string_view word;      // as written in the config
  std::string_view dialect;   // the wire format behind it
  std::string_view base_url;  // its default; empty: the config must name it
  std::string_view key;       // the environment variable in which its users keep the key; empty: none is taken
  bool needs_key = true;      // at its default address
  bool built = true;          // this version speaks the dialect
  Quirks quirks{};
};

/// The preset of that name, or null.
const Preset* find_preset(std::string_view word);

/// All of them, dialects first; of two whose keys are found, the earlier one comes first.
std::span<const Preset> all_presets();

/// All words that `dialect` takes, in the same order.
std::vector<std::string> dialect_words();

}  // namespace weir::providers
