#pragma once

#include <cstdint>
#include <optional>

namespace weir::llm {

/// What a provider says that one call consumed, in its own counts. A count that it did not tell is absent, never zero.
///
/// The counts overlap as OpenAI's do: `cached_input_tokens` and `cache_write_tokens` are part of `input_tokens`, and
/// `reasoning_tokens` are part of `output_tokens`. A dialect whose counts are disjoint adds them up to this meaning
/// when it reads them. A plain value without a thread or a lifetime of its own.
struct Usage {
  std::optional<std::int64_t> input_tokens;         // the whole prompt, cached or not
  std::optional<std::int64_t> output_tokens;        // all that was generated, shown or not
  std::optional<std::int64_t> cached_input_tokens;  // of the prompt: read from the provider's cache
  std::optional<std::int64_t> cache_write_tokens;   // of the prompt: written to the provider's cache
  std::optional<std::int64_t> reasoning_tokens;     // of the output: thoughts
  // Parts whose prices are their own; 0 where they are not told.
  std::int64_t cache_write_hour_tokens = 0;  // of the cache writes: those that are kept for an hour
  std::int64_t audio_input_tokens = 0;
  std::int64_t image_input_tokens = 0;  // and video
  std::int64_t audio_output_tokens = 0;
  std::int64_t image_output_tokens = 0;

  friend bool operator==(const Usage&, const Usage&) = default;
};

}  // namespace weir::llm
