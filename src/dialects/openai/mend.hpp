#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai/edits.hpp"
#include "dialects/openai/stream.hpp"

namespace weir::openai {

/// What was wrong with an event and is put right.
enum class Mend : std::uint8_t {
  choices,         // missing or null: official clients iterate over them
  choice_index,    // missing: 0
  delta,           // missing or null: {}
  role,            // empty
  finish_reason,   // "" for null, or "stop" although tools were called
  tool_index,      // missing, the same for several calls, or not counted from 0
  tool_id,         // missing at a call's start: made from the call's own id
  tool_repeats,    // id or name sent again in a later part of a call (clients concatenate them)
  tool_arguments,  // an object in place of its text
  count_,
};
using MendSet = std::bitset<static_cast<std::size_t>(Mend::count_)>;
/// As metrics and records name it: "tool_index".
[[nodiscard]] std::string_view to_string(Mend mend);

/// Mends the events of one stream that break OpenAI's grammar in ways that official clients stumble over; the others
/// are not touched.
///
/// wants() is the hot path and says in a few bit operations whether an event has to be looked at: each that may be
/// wrong, and those that begin something which later ones are judged by. One per upstream answer, used by one thread;
/// bounded by what the grammar allows of choices, and `calls_max`.
/// Sources: the streams of Ollama, Mistral, Gemini's compatible surface, older vLLM and others as reported by their
/// users until 2026-08; the official SDKs of that time for what they make of them.
class StreamMender {
 public:
  static constexpr std::size_t calls_max = 512;  // tool calls in one answer; what comes beyond passes as it is

  /// `seed`: makes the ids of tool calls unique that came without one; outlives the mender.
  explicit StreamMender(std::string_view seed) : seed_(seed) {}

  [[nodiscard]] bool wants(const ChunkFacts& facts) const {
    return facts.sloppy || facts.tool_starts || facts.empty_role || (facts.choices & ~begun_).any() ||
           (facts.tools && renumbered_) || (facts.finished & with_tools_).any();
  }
  /// Takes a valid event into account, and appends what has to be changed in its data, sorted by offset. `usage_cut`:
  /// the usage member will be cut out.
  MendSet mend(std::string_view data, bool usage_cut, std::vector<Edit>& edits);

 private:
  struct ToolCall {
    std::optional<std::int64_t> sent_index;  // the server's
    std::string id_raw;
    std::string name_raw;
  };

  std::optional<std::string> mend_choice(std::string_view choice, std::size_t place, MendSet& mended);
  std::optional<std::string> mend_delta(std::string_view delta, std::size_t place, MendSet& mended);
  std::optional<std::string> mend_calls(std::string_view list, std::size_t place, MendSet& mended);
  std::optional<std::string> mend_call(std::string_view call, std::size_t place, std::vector<std::size_t>& begun,
                                       MendSet& mended);
  [[nodiscard]] std::string made_up_id(std::size_t place, std::size_t index) const;

  std::string_view seed_;
  ChoiceSet begun_;  // choices that were seen
  ChoiceSet with_tools_;
  bool renumbered_ = false;                             // some call has another index than the server gave it
  std::map<std::size_t, std::vector<ToolCall>> calls_;  // by choice; the place in the list is the index the caller sees
  std::size_t calls_count_ = 0;
};

}  // namespace weir::openai
