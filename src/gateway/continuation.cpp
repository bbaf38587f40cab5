#include "gateway/continuation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "dialects/openai/edits.hpp"

namespace weir::gateway {

using openai::DeltaTexts;
using openai::TextField;

namespace {

constexpr std::size_t charge_min = 4096;
constexpr std::size_t held_bytes_max = std::size_t{1} << 20;
// An answer that was given a beginning and repeats this much of it begins anew.
constexpr std::size_t anew_bytes = 32;
constexpr std::size_t anew_bytes_min = 8;  // less may well come twice in one text

std::string_view value_of(const std::optional<text::Span>& span, std::string_view data) {
  return span ? span->of(data) : std::string_view();
}

}  // namespace

void Delivered::give_up(std::string_view why) {
  given_up_ = true;
  why_ = why;
  texts_ = {};
  lease_ = {};
}

std::string_view Delivered::obstacle() const {
  if (given_up_) {
    return why_;
  }
  if (texts_.empty()) {
    return "nothing of its text had left";
  }
  return is_known() ? std::string_view() : "it broke off inside a character";
}

bool Delivered::is_known() const {
  return begun_ && !given_up_ && std::ranges::all_of(texts_, [](const Text& text) { return text.pieces.whole(); });
}

bool Delivered::is_content_alone() const {
  return obstacle().empty() && texts_.size() == 1 && texts_[0].choice == 0 && texts_[0].field == TextField::content &&
         finished_.none();
}

bool Delivered::grow(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ > bytes_max_) {
    give_up("it is longer than what weir keeps of an answer");
    return false;
  }
  if (bytes_ > charged_) {
    charged_ = std::max({charge_min, charged_ * 2, bytes_});
    if (budget_ != nullptr && !lease_.grow_to(*budget_, charged_)) {
      give_up("weir had no memory left to keep it");
      return false;
    }
  }
  return true;
}

std::size_t Delivered::place_of(std::size_t choice, TextField field) {
  const auto found =
      std::ranges::find_if(texts_, [&](const Text& text) { return text.choice == choice && text.field == field; });
  if (found == texts_.end()) {
    texts_.push_back({.choice = choice, .field = field, .bytes = {}, .pieces = {}});
    texts_.back().bytes.reserve(256);
    return texts_.size() - 1;
  }
  return static_cast<std::size_t>(found - texts_.begin());
}

void Delivered::append_raw(std::string_view raw) {
  if (!grow(raw.size())) {
    return;
  }
  Text& here = texts_[marked_];
  const bool plain = raw.find('\\') == std::string_view::npos;
  if (plain && here.pieces.whole()) {
    here.bytes.append(raw);
  } else if (plain || !here.pieces.append(raw, here.bytes)) {
    give_up("half a character stands in it");
  }
}

void Delivered::note_in_full(std::string_view data, openai::ChunkInspector* inspector) {
  const DeltaTexts texts = openai::read_delta_texts(data);
  if (!begun_) {
    begun_ = true;
    id_ = value_of(texts.id, data);
    created_ = value_of(texts.created, data);
    model_ = value_of(texts.model, data);
  }
  if (texts.other) {
    give_up("more than text had left");
    return;
  }
  finished_ |= texts.finished;
  for (const openai::TextPiece& piece : texts.pieces) {
    if (!grow(piece.raw.length)) {
      return;
    }
    marked_ = place_of(piece.choice, piece.field);
    if (!texts_[marked_].pieces.append(piece.raw.of(data), texts_[marked_].bytes)) {
      give_up("half a character stands in it");
      return;
    }
  }
  if (texts.pieces.size() == 1 && inspector != nullptr) {
    inspector->mark(texts.pieces[0].raw.offset);
  } else {
    marked_ = std::string_view::npos;
  }
}

Continuation::Continuation(const Delivered& delivered, Resume how)
    : delivered_(delivered), finished_before_(delivered.finished()) {
  const bool given = how == Resume::prefill;
  for (const Delivered::Text& text : delivered.texts()) {
    places_.push_back({.choice = text.choice,
                       .field = text.field,
                       .length = text.bytes.size(),
                       .at = given ? text.bytes.size() : 0,
                       .pieces = {}});
  }
  open_ = given ? 0 : places_.size();
  undecided_ = given && delivered.bytes() >= anew_bytes_min;
}

Continuation::Verdict Continuation::differ(std::string why) {
  why_ = std::move(why);
  return Verdict::differs;
}

std::size_t Continuation::place_of(std::size_t choice, TextField field) const {
  const auto found =
      std::ranges::find_if(places_, [&](const Place& place) { return place.choice == choice && place.field == field; });
  return static_cast<std::size_t>(found - places_.begin());
}

bool Continuation::has_open_text(std::size_t choice) const {
  return std::ranges::any_of(places_,
                             [&](const Place& place) { return place.choice == choice && place.at < place.length; });
}

Continuation::Verdict Continuation::take(std::string_view data) {
  passing_.clear();
  repeats_.clear();
  const DeltaTexts texts = openai::read_delta_texts(data);
  return undecided_ ? take_undecided(data, texts) : compare(data, texts);
}

Continuation::Verdict Continuation::compare(std::string_view data, const DeltaTexts& texts) {
  const bool was_proven = open_ == 0;
  if (!was_proven && texts.other) {
    return differ("it answered with more than text before it had repeated the text that had left");
  }
  bool news = was_proven && texts.other;
  for (const openai::TextPiece& piece : texts.pieces) {
    std::size_t known = 0;
    const std::size_t index = place_of(piece.choice, piece.field);
    if (index < places_.size() && places_[index].at < places_[index].length) {
      const auto repeated = this->repeated(index, piece.raw.of(data));
      if (!repeated) {
        return Verdict::differs;
      }
      known = *repeated;
      repeats_.push_back({piece.raw.offset, known});
      open_ -= places_[index].at == places_[index].length ? 1 : 0;
    }
    if (known < piece.raw.length) {
      if (has_open_text(piece.choice)) {
        return differ(fmt::format("its {} goes on where the answer that had left has another text",
                                  openai::to_string(piece.field)));
      }
      if (!was_proven && finished_before_.test(piece.choice)) {
        return differ("it goes on behind the end of the answer that had left");
      }
      news = true;
    }
  }
  for (std::size_t choice = 0; choice < texts.finished.size() && texts.finished.any(); ++choice) {
    if (texts.finished.test(choice) && has_open_text(choice)) {
      return differ("it ended before it had repeated the text that had left");
    }
  }
  const bool ends = (texts.finished & ~finished_before_).any();
  const bool ended_before = texts.finished.any() && !ends;  // which the caller was told
  if (!news && !ends && (!was_proven || ended_before)) {
    return Verdict::hold;
  }
  std::string event = rewritten(data, texts);
  return open_ == 0 ? pass(std::move(event)) : hold(std::move(event));
}

Continuation::Verdict Continuation::hold(std::string event) {
  held_bytes_ += event.size();
  if (held_bytes_ > held_bytes_max) {
    return differ("it brought too much that was not yet proven");
  }
  held_.push_back(std::move(event));
  return Verdict::hold;
}

Continuation::Verdict Continuation::pass(std::string event) {
  passing_ = std::move(held_);
  held_.clear();
  passing_.push_back(std::move(event));
  return Verdict::pass;
}

Continuation::Verdict Continuation::take_undecided(std::string_view data, const DeltaTexts& texts) {
  bool thinks = false;
  bool broken = false;
  for (const openai::TextPiece& piece : texts.pieces) {
    thinks = thinks || piece.choice != 0 || piece.field != TextField::content;
    broken = broken || !undecided_pieces_.append(piece.raw.of(data), undecided_text_);
  }
  if (thinks || broken) {
    return differ("it did not go on with the text that it was given");
  }
  if (texts.pieces.empty() && texts.finished.none() && !texts.other) {
    return Verdict::hold;
  }
  const std::string_view told = delivered_.texts()[0].bytes;
  const std::size_t enough = std::min(anew_bytes, places_[0].length);
  const std::size_t compared = std::min(undecided_text_.size(), enough);
  const bool same = told.substr(0, compared) == std::string_view(undecided_text_).substr(0, compared);
  if (same && compared == enough) {
    return differ("it began anew in place of going on with the text that it was given");
  }
  if (same && texts.finished.none() && !texts.other) {
    return hold(rewritten(data, texts));
  }
  undecided_ = false;
  return pass(rewritten(data, texts));
}

std::optional<std::size_t> Continuation::repeated(std::size_t index, std::string_view raw) {
  Place& place = places_[index];
  const std::string_view told = std::string_view(delivered_.texts()[index].bytes).substr(0, place.length);
  std::size_t at = 0;
  while (at < raw.size() && place.at < place.length) {
    const text::StringPieces::Step step = place.pieces.step(raw.substr(at));
    const std::string_view expected = told.substr(place.at, step.text.size());
    const auto same = static_cast<std::size_t>(std::ranges::mismatch(expected, step.text).in1 - expected.begin());
    place.at += same;
    same_ += same;
    // Beyond the end of what is expected only a plain run can go on: each escape is one character.
    const bool plain = raw[at] != '\\';
    if (step.broken || same < expected.size() || (same < step.text.size() && !plain)) {
      differ(fmt::format("its {} differs at byte {} from the text that had left", openai::to_string(place.field),
                         place.at));
      return std::nullopt;
    }
    at += same < step.text.size() ? same : step.raw;
  }
  return at;
}

std::string Continuation::rewritten(std::string_view data, const DeltaTexts& texts) const {
  std::vector<openai::Edit> edits;
  const auto cut = [&](const text::Span& span) { edits.push_back({span.offset, span.length, {}}); };
  std::ranges::for_each(repeats_, cut);
  std::ranges::for_each(texts.roles, cut);
  const auto replace = [&](const std::optional<text::Span>& span, std::string_view value) {
    if (span && !value.empty()) {
      edits.push_back({span->offset, span->length, std::string(value)});
    }
  };
  replace(texts.id, delivered_.id());
  replace(texts.created, delivered_.created());
  replace(texts.model, delivered_.model());
  std::ranges::sort(edits, {}, &openai::Edit::offset);
  std::vector<std::string_view> parts;
  openai::slices(data, edits, parts);
  std::string event;
  for (const std::string_view part : parts) {
    event.append(part);
  }
  return event;
}

}  // namespace weir::gateway
