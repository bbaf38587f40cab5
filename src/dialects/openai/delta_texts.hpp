#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dialects/openai/stream.hpp"
#include "text/json_scan.hpp"

namespace weir::openai {

/// The members of a delta, or of a legacy completion's choice, that hold a text which grows with each event.
enum class TextField : std::uint8_t { content, reasoning_content, reasoning, refusal, text };
[[nodiscard]] std::string_view to_string(TextField field);

/// A piece of text that one event brings. The span counts from the start of the event's data.
struct TextPiece {
  std::size_t choice = 0;
  TextField field = TextField::content;
  text::Span raw;  // between the quotes, as sent; not empty
};

/// What of one event somebody needs who puts an answer together, or goes on with one in another's place.
struct DeltaTexts {
  std::vector<TextPiece> pieces;  // in the order of the data
  ChoiceSet finished;             // choices whose finish_reason is set
  /// It brings more than these texts: parts of tool calls, audio, images, lists in the place of a text, probabilities
  /// of tokens, or a choice whose index is beyond the set.
  bool other = false;
  std::vector<text::Span> roles;  // the members, each with the comma that cutting it makes superfluous
  // Values as sent; absent where the member is.
  std::optional<text::Span> id;
  std::optional<text::Span> created;
  std::optional<text::Span> model;
};

/// Reads the data of an event that inspect_chunk() or inspect_completion_chunk() found well-formed.
[[nodiscard]] DeltaTexts read_delta_texts(std::string_view data);

}  // namespace weir::openai
