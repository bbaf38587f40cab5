#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai/errors.hpp"
#include "llm/usage.hpp"
#include "text/json_scan.hpp"

/// What weir has to know about the events of a stream of chat completions, or of legacy completions, read beside the
/// stream: the events themselves go to the caller as their original bytes.
///
/// Source: OpenAI's OpenAPI 2.3.0 and the official SDKs of 2026-08; fields that only compatible servers send
/// (reasoning, images) as observed there.
namespace weir::openai {

/// What keeps a stream alive before its first content: the only form that no official client stumbles over
/// (docs/decisions/0013-keep-alives-are-comments.md).
inline constexpr std::string_view keep_alive_event = ": keep-alive\n\n";

/// A set of choice indices. OpenAI's `n` is at most 128; of chat an index beyond breaks the grammar. Legacy completions
/// take 2,048 prompts with `n` choices each: those beyond the set are counted.
inline constexpr std::size_t choices_max = 128;
inline constexpr std::int64_t completion_choices_max = std::int64_t{2048} * 128;
using ChoiceSet = std::bitset<choices_max>;

/// What one event says. The views live as long as the event's data; spans count from its start.
struct ChunkFacts {
  bool done = false;  // the success terminator; nothing else is set then
  /// Not a JSON object, or not shaped like a chunk; `malformed_why` is a literal, and nothing else is set then.
  bool malformed = false;
  std::string_view malformed_why;

  /// Some choice carries text, reasoning, a refusal, a tool's name or arguments, audio, an image or a finish reason:
  /// the commit point, behind which no other answer may be tried.
  bool content_bearing = false;
  ChoiceSet choices;                 // that the event mentions
  ChoiceSet finished;                // those of them whose finish_reason is set
  std::uint32_t choices_beyond = 0;  // choices with an index that the sets cannot hold
  std::uint32_t finished_beyond = 0;

  // What StreamMender goes by.
  bool sloppy = false;       // something that OpenAI always sends is missing, or "" stands where it sends null
  bool empty_role = false;   // some delta brings one
  bool tools = false;        // some delta brings parts of tool calls
  bool tool_starts = false;  // one of them has an id or a name, or has not the shape of a mere continuation

  std::optional<ReportedError> error;
  std::optional<llm::Usage> usage;  // if `usage` is an object
  bool usage_only = false;          // no choices, and a usage: the event that `include_usage` asks for
  /// The `usage` member, null or not, with the comma that cutting it makes superfluous.
  std::optional<text::Span> usage_member;

  std::string_view id_raw;     // between its quotes, as sent; empty if absent
  std::string_view model_raw;  // likewise
  // Likewise; of events that differ from an earlier one in texts alone it is not read again.
  std::string_view service_tier_raw;
};

/// Reads the data of one event. Thread-safe; allocates only for an error's words.
[[nodiscard]] ChunkFacts inspect_chunk(std::string_view data);
/// The same for legacy completions, whose content is the choices' `text`.
[[nodiscard]] ChunkFacts inspect_completion_chunk(std::string_view data);
using InspectChunk = ChunkFacts (*)(std::string_view data);

/// inspect_chunk() for the events of one stream, which mostly differ from the one before in a few texts alone.
///
/// An event that is an earlier one with other texts between the same quotes is as valid as that one and says the same,
/// as long as no text became empty or ceased to be: comparing what lies between the texts replaces the whole reading.
/// Everything else is read in full. One per stream, used by one thread; holds a copy of one event.
class ChunkInspector {
 public:
  explicit ChunkInspector(InspectChunk inspect = inspect_chunk) : inspect_(inspect) {}

  /// The views in the facts live as long as `data`.
  [[nodiscard]] ChunkFacts inspect(std::string_view data);

  /// Marks the text that begins at `offset` of the event in hand, behind its quote: marked() gives the one in its place
  /// of each later event that differs from this one in texts alone.
  void mark(std::size_t offset);
  /// Nothing if the event in hand has another form than the one whose text was marked.
  [[nodiscard]] std::optional<std::string_view> marked(std::string_view data) const {
    return repeated_ && marked_ < texts_.size() ? std::optional(moved(data, marked_)) : std::nullopt;
  }

 private:
  struct Text {
    text::Span span;         // in pattern_, between the quotes
    std::size_t now = 0;     // where it begins in the event in hand
    std::size_t length = 0;  // there
  };
  [[nodiscard]] bool matches(std::string_view data);
  void remember(std::string_view data, const ChunkFacts& facts);
  [[nodiscard]] std::string_view moved(std::string_view data, std::size_t index) const;

  static constexpr int misses_max = 8;  // of one pattern after the other; then this stream is of another kind

  InspectChunk inspect_;
  std::string pattern_;      // the remembered event; empty: none
  std::vector<Text> texts_;  // its strings that are values
  ChunkFacts facts_;         // what it says; id and model are made anew from texts_
  std::size_t id_ = 0;       // index in texts_; texts_.size(): absent
  std::size_t model_ = 0;
  std::size_t marked_ = std::string_view::npos;
  bool repeated_ = false;  // the event in hand has the form of the remembered one
  int misses_ = 0;
};

/// Whether the caller asked for usage himself. If not, weir asked in his name and takes out what came of it.
enum class UsageView : std::uint8_t { shown, hidden };

/// What to do with an event.
struct Relay {
  enum class How : std::uint8_t { whole, cut, swallow };
  How how = How::whole;
  text::Span span;  // with `cut`: the part of the data to leave out

  friend bool operator==(const Relay&, const Relay&) = default;
};

/// Where a stream stands, from the facts of its events in order.
///
/// A state without I/O and clock; one per upstream answer, used by one thread. Its size is fixed.
class ChatStream {
 public:
  explicit ChatStream(UsageView usage_view) : usage_view_(usage_view) {}

  /// Notes the event and says what the caller gets of it. After `[DONE]` or an error he gets nothing any more: that is
  /// what keeps a `[DONE]` behind an error from him. Whether a malformed event is relayed is not decided here.
  Relay take(const ChunkFacts& facts);

  [[nodiscard]] bool content_seen() const { return content_seen_; }
  /// At least one choice was seen, and each that was seen has its finish reason: the answer is whole even if the
  /// terminator never comes.
  [[nodiscard]] bool all_finished() const { return choices_.any() && (choices_ & ~finished_).none(); }
  [[nodiscard]] bool done_seen() const { return done_seen_; }
  [[nodiscard]] bool error_seen() const { return error_seen_; }
  [[nodiscard]] bool malformed_seen() const { return malformed_seen_; }
  /// The latest that was reported. Servers that report with every event report running totals.
  [[nodiscard]] const std::optional<llm::Usage>& usage() const { return usage_; }
  [[nodiscard]] std::size_t choices_seen() const { return choices_.count(); }
  [[nodiscard]] std::size_t choices_finished() const { return finished_.count() + finished_beyond_; }

 private:
  UsageView usage_view_;
  bool content_seen_ = false;
  bool done_seen_ = false;
  bool error_seen_ = false;
  bool malformed_seen_ = false;
  ChoiceSet choices_;
  ChoiceSet finished_;
  std::size_t finished_beyond_ = 0;
  std::optional<llm::Usage> usage_;
};

}  // namespace weir::openai
