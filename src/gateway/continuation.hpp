#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai/delta_texts.hpp"
#include "dialects/openai/stream.hpp"
#include "platform/memory_budget.hpp"
#include "text/string_pieces.hpp"

namespace weir::gateway {

/// What the caller of a stream already has, as far as another answer could go on with it: each choice's texts, decoded.
///
/// A plain value without I/O; one per call, used by one thread. Noting an event that differs from the one before in its
/// text alone costs a copy of that text. Bounded by `bytes_max` and charged to the budget: beyond either, and for what
/// is no mere text (a tool call, audio, probabilities), it gives up, says why, and holds nothing any more.
class Delivered {
 public:
  struct Text {
    std::size_t choice = 0;
    openai::TextField field = openai::TextField::content;
    std::string bytes;
    text::StringPieces pieces;
  };

  Delivered(std::size_t bytes_max, platform::MemoryBudget* budget) : bytes_max_(bytes_max), budget_(budget) {}

  /// An event with content that goes to the caller, and `inspector`, which has just read it; null if it has not.
  void note(std::string_view data, openai::ChunkInspector* inspector) {
    if (given_up_) {
      return;
    }
    if (inspector != nullptr && marked_ < texts_.size()) {
      if (const auto text = inspector->marked(data)) {
        append_raw(*text);
        return;
      }
    }
    note_in_full(data, inspector);
  }
  /// From here on nothing is noted, and another answer cannot go on with this one.
  void give_up(std::string_view why);

  /// Why no other answer can go on with it; empty: one can.
  [[nodiscard]] std::string_view obstacle() const;
  /// All that went to the caller is in texts(), which is empty where it was an empty text.
  [[nodiscard]] bool is_known() const;
  /// One text of one choice, its content: what can be put in front of another answer.
  [[nodiscard]] bool is_content_alone() const;
  [[nodiscard]] const std::vector<Text>& texts() const { return texts_; }
  [[nodiscard]] const openai::ChoiceSet& finished() const { return finished_; }
  /// Of all texts together.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // The values of the first event with content, as sent; empty where it had none.
  [[nodiscard]] std::string_view id() const { return id_; }
  [[nodiscard]] std::string_view created() const { return created_; }
  [[nodiscard]] std::string_view model() const { return model_; }

 private:
  void append_raw(std::string_view raw);
  void note_in_full(std::string_view data, openai::ChunkInspector* inspector);
  [[nodiscard]] std::size_t place_of(std::size_t choice, openai::TextField field);
  bool grow(std::size_t bytes);

  std::size_t bytes_max_;
  platform::MemoryBudget* budget_;
  platform::MemoryBudget::Lease lease_;
  std::size_t bytes_ = 0;
  std::size_t charged_ = 0;
  std::vector<Text> texts_;
  std::size_t marked_ = std::string_view::npos;  // in texts_: the one that the inspector's mark belongs to
  openai::ChoiceSet finished_;
  std::string id_;
  std::string created_;
  std::string model_;
  bool begun_ = false;
  bool given_up_ = false;
  std::string_view why_;  // a literal
};

/// How another target is brought to go on with an answer that broke off.
enum class Resume : std::uint8_t {
  proven,   // it is asked the same again; what it repeats is compared and dropped
  prefill,  // it has been given what the caller has, and goes on behind that
  echoed,   // likewise, but it repeats what it was given
};

/// The events of an answer that is to go on with one that broke off: tells what of them the caller lacks.
///
/// With `proven` and `echoed` nothing passes before each text that the caller has was repeated byte for byte; the first
/// byte that differs ends it. Deltas may be split and escaped otherwise than they were. What passes has the id, the
/// model and the time of creation that the caller has seen, and no second role. With `prefill` the first bytes are held
/// until it is clear that the answer does not begin anew.
///
/// Without I/O; one per upstream answer, used by one thread. `delivered` outlives it and may grow with what passes.
class Continuation {
 public:
  enum class Verdict : std::uint8_t {
    hold,     // nothing for the caller
    pass,     // events() go to him
    differs,  // this answer is another one: why()
  };

  Continuation(const Delivered& delivered, Resume how);

  /// The data of a well-formed event that is not `[DONE]`.
  Verdict take(std::string_view data);
  /// The data to pass in place of the event; live until the next take().
  [[nodiscard]] const std::vector<std::string>& events() const { return passing_; }
  /// The caller has nothing that this answer did not repeat, or was not given.
  [[nodiscard]] bool proven() const { return open_ == 0 && !undecided_; }
  /// How many bytes of what the caller has were repeated so far.
  [[nodiscard]] std::size_t same_bytes() const { return same_; }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  struct Place {
    std::size_t choice;
    openai::TextField field;
    std::size_t length;  // of what the caller has
    std::size_t at = 0;  // repeated so far
    text::StringPieces pieces;
  };

  Verdict differ(std::string why);
  Verdict take_undecided(std::string_view data, const openai::DeltaTexts& texts);
  Verdict compare(std::string_view data, const openai::DeltaTexts& texts);
  /// How much of the piece the caller has; nothing if it differs.
  std::optional<std::size_t> repeated(std::size_t index, std::string_view raw);
  [[nodiscard]] std::size_t place_of(std::size_t choice, openai::TextField field) const;
  Verdict hold(std::string event);
  Verdict pass(std::string event);
  [[nodiscard]] bool has_open_text(std::size_t choice) const;
  [[nodiscard]] std::string rewritten(std::string_view data, const openai::DeltaTexts& texts) const;

  const Delivered& delivered_;
  std::vector<Place> places_;  // one for each of delivered.texts()
  openai::ChoiceSet finished_before_;
  std::size_t open_ = 0;  // places whose text was not repeated to its end
  std::size_t same_ = 0;
  std::vector<text::Span> repeats_;  // of the event in hand: what the caller has of it
  std::vector<std::string> held_;    // news of one choice while another is not proven; or undecided
  std::size_t held_bytes_ = 0;
  std::vector<std::string> passing_;
  bool undecided_ = false;  // prefill: it may yet begin anew
  text::StringPieces undecided_pieces_;
  std::string undecided_text_;
  std::string why_;
};

}  // namespace weir::gateway
