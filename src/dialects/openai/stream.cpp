#include "dialects/openai/stream.hpp"

#include <algorithm>
#include <cstring>

#include "dialects/openai/usage.hpp"
#include "text/byte_search.hpp"
#include "text/json_value.hpp"
#include "text/utf8.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;
using text::Span;

bool is_text(const JsonValue& value) {
  return value.kind == JsonKind::string && value.raw.size() > 2;
}

/// Text, or parts: some servers stream `content` as a list of them.
bool is_text_or_list(const JsonValue& value) {
  return is_text(value) || (value.kind == JsonKind::array && !text::is_empty(value));
}

/// True if a member of that object is a non-empty text and is called `first` or `second`.
bool has_text(const JsonValue& object, std::string_view first, std::string_view second) {
  bool found = false;
  if (object.kind == JsonKind::object) {
    text::for_each_member(object.raw, [&](const JsonMember& member) {
      found = is_text(member.value) && (text::key_equals(member, first) || text::key_equals(member, second));
      return !found;
    });
  }
  return found;
}

/// True if a tool call of the list brings a name or a part of its arguments.
bool has_tool_text(const JsonValue& tool_calls) {
  bool found = false;
  if (tool_calls.kind == JsonKind::array) {
    text::for_each_element(tool_calls.raw, [&](const JsonValue& call) {
      if (call.kind != JsonKind::object) {
        return true;
      }
      text::for_each_member(call.raw, [&](const JsonMember& member) {
        if (text::key_equals(member, "function")) {
          found = has_text(member.value, "name", "arguments");
        } else if (text::key_equals(member, "custom")) {
          found = has_text(member.value, "name", "input");
        }
        return !found;
      });
      return !found;
    });
  }
  return found;
}

bool bears_content(const JsonMember& member) {
  const JsonValue& value = member.value;
  // A null, the most frequent value after content itself, bears nothing whatever it is called.
  if (value.kind == JsonKind::null) {
    return false;
  }
  if (text::key_equals(member, "content") || text::key_equals(member, "reasoning_content") ||
      text::key_equals(member, "reasoning") || text::key_equals(member, "reasoning_details") ||
      text::key_equals(member, "images")) {
    return is_text_or_list(value);
  }
  if (text::key_equals(member, "refusal")) {
    return is_text(value);
  }
  if (text::key_equals(member, "tool_calls")) {
    return has_tool_text(value);
  }
  if (text::key_equals(member, "function_call")) {
    return has_text(value, "name", "arguments");
  }
  if (text::key_equals(member, "audio")) {
    return has_text(value, "data", "transcript");
  }
  return false;
}

bool is_mere_continuation(const JsonValue& call) {
  if (call.kind != JsonKind::object) {
    return true;  // nothing that could be put right
  }
  bool has_index = false;
  bool begins = false;
  text::for_each_member(call.raw, [&](const JsonMember& member) {
    if (text::key_equals(member, "index")) {
      has_index = member.value.kind == JsonKind::number;
    } else if (text::key_equals(member, "id")) {
      begins = begins || is_text(member.value);
    } else if (member.value.kind == JsonKind::object) {
      text::for_each_member(member.value.raw, [&](const JsonMember& part) {
        begins = begins || (text::key_equals(part, "name") && is_text(part.value)) ||
                 (text::key_equals(part, "arguments") && part.value.kind == JsonKind::object);
      });
    }
  });
  return has_index && !begins;
}

void read_delta(std::string_view delta, ChunkFacts& facts) {
  text::for_each_member(delta, [&](const JsonMember& member) {
    if (bears_content(member)) {
      facts.content_bearing = true;
    }
    const JsonKind kind = member.value.kind;
    if (kind == JsonKind::string) {
      facts.empty_role = facts.empty_role || (text::is_empty(member.value) && text::key_equals(member, "role"));
    } else if (kind == JsonKind::array && text::key_equals(member, "tool_calls")) {
      text::for_each_element(member.value.raw, [&](const JsonValue& call) {
        facts.tools = true;
        facts.tool_starts = facts.tool_starts || !is_mere_continuation(call);
      });
    }
  });
}

/// Reads one choice into the facts; says what is wrong with it, or nothing.
std::string_view read_chat_choice(const JsonValue& choice, ChunkFacts& facts) {
  if (choice.kind != JsonKind::object) {
    return "a choice is not an object";
  }
  // Single-answer servers leave the index out.
  std::optional<std::int64_t> index = 0;
  bool finished = false;
  bool delta_is_wrong = false;
  bool has_delta = false;
  bool has_index = false;
  text::for_each_member(choice.raw, [&](const JsonMember& member) {
    const JsonValue& value = member.value;
    if (text::key_equals(member, "delta")) {
      if (value.kind == JsonKind::object) {
        has_delta = true;
        read_delta(value.raw, facts);
      } else {
        delta_is_wrong = value.kind != JsonKind::null;
      }
    } else if (text::key_equals(member, "index")) {
      has_index = value.kind != JsonKind::null;
      index = has_index ? text::to_int64(value) : 0;
    } else if (text::key_equals(member, "finish_reason")) {
      // Some servers write "" where OpenAI writes null; taken for a reason, it would end an answer at its first word.
      finished = value.kind != JsonKind::null && !text::is_empty(value);
      facts.sloppy = facts.sloppy || (value.kind != JsonKind::null && !finished);
    }
  });
  facts.sloppy = facts.sloppy || !has_delta || !has_index;
  if (delta_is_wrong) {
    return "a delta is not an object";
  }
  if (!index || *index < 0 || *index >= std::int64_t{choices_max}) {
    return "a choice's index is not an integer from 0 to 127";
  }
  const auto place = static_cast<std::size_t>(*index);
  facts.choices.set(place);
  if (finished) {
    facts.finished.set(place);
    facts.content_bearing = true;
  }
  return {};
}

/// Reads one choice of a legacy completion: its text stands in it directly.
std::string_view read_completion_choice(const JsonValue& choice, ChunkFacts& facts) {
  if (choice.kind != JsonKind::object) {
    return "a choice is not an object";
  }
  std::optional<std::int64_t> index = 0;
  bool finished = false;
  bool text_is_wrong = false;
  text::for_each_member(choice.raw, [&](const JsonMember& member) {
    const JsonValue& value = member.value;
    if (text::key_equals(member, "text")) {
      facts.content_bearing = is_text(value) || facts.content_bearing;
      text_is_wrong = value.kind != JsonKind::string && value.kind != JsonKind::null;
    } else if (text::key_equals(member, "index")) {
      index = value.kind == JsonKind::null ? 0 : text::to_int64(value);
    } else if (text::key_equals(member, "finish_reason")) {
      finished = value.kind != JsonKind::null && !text::is_empty(value);
    }
  });
  if (text_is_wrong) {
    return "a choice's text is not a string";
  }
  if (!index || *index < 0 || *index >= completion_choices_max) {
    return "a choice's index is not an integer from 0 to 262143";
  }
  facts.content_bearing = facts.content_bearing || finished;
  if (*index >= std::int64_t{choices_max}) {
    ++facts.choices_beyond;
    facts.finished_beyond += finished ? 1 : 0;
    return {};
  }
  const auto place = static_cast<std::size_t>(*index);
  facts.choices.set(place);
  facts.finished.set(place, finished);
  return {};
}

using ReadChoice = std::string_view (*)(const JsonValue&, ChunkFacts&);

std::string_view read_choices(const JsonValue& choices, ReadChoice read_choice, ChunkFacts& facts) {
  if (choices.kind == JsonKind::null) {
    return {};
  }
  if (choices.kind != JsonKind::array) {
    return "choices is not an array";
  }
  std::string_view wrong;
  text::for_each_element(choices.raw, [&](const JsonValue& choice) {
    wrong = read_choice(choice, facts);
    return wrong.empty();
  });
  return wrong;
}

ChunkFacts malformed(std::string_view why) {
  ChunkFacts facts;
  facts.malformed = true;
  facts.malformed_why = why;
  return facts;
}

/// Finds the part of the data to cut so that the usage member is gone, with one comma.
class UsageCutter {
 public:
  explicit UsageCutter(std::string_view data) : data_(data) {}

  void see(const JsonMember& member, bool is_usage) {
    const auto begin = static_cast<std::size_t>(member.key_raw.data() - data_.data()) - 1;
    const std::size_t end = Span::within(data_, member.value.raw).end();
    if (last_is_usage_) {
      // Another member follows: cut up to it, its comma included.
      cut_->length = begin - cut_->offset;
    }
    if (is_usage) {
      cut_ = Span{begin, end - begin};
      end_before_ = last_end_;
    }
    last_is_usage_ = is_usage;
    last_end_ = end;
  }

  [[nodiscard]] std::optional<Span> cut() const {
    if (last_is_usage_ && end_before_ != 0) {
      // No member follows: the comma in front goes with it.
      return Span{end_before_, cut_->end() - end_before_};
    }
    return cut_;
  }

 private:
  std::string_view data_;
  std::optional<Span> cut_;
  std::size_t end_before_ = 0;  // where the member before it ends; 0 if it is the first
  std::size_t last_end_ = 0;
  bool last_is_usage_ = false;
};

ChunkFacts inspect(std::string_view data, ReadChoice read_choice) {
  // The official SDKs end their iteration at data that begins so, whatever follows.
  if (data.starts_with("[DONE]")) {
    ChunkFacts facts;
    facts.done = true;
    return facts;
  }
  ChunkFacts facts;
  UsageCutter cutter(data);
  JsonValue choices;
  JsonValue usage;
  JsonValue error;
  const auto scanned = text::scan_object(data, [&](const JsonMember& member) {
    const bool is_usage = text::key_equals(member, "usage");
    cutter.see(member, is_usage);
    if (is_usage) {
      usage = member.value;
    } else if (text::key_equals(member, "choices")) {
      choices = member.value;
    } else if (text::key_equals(member, "id")) {
      facts.id_raw = member.value.kind == JsonKind::string ? member.value.string_raw() : std::string_view();
    } else if (text::key_equals(member, "model")) {
      facts.model_raw = member.value.kind == JsonKind::string ? member.value.string_raw() : std::string_view();
    } else if (text::key_equals(member, "error")) {
      error = member.value;
    } else if (text::key_equals(member, "service_tier")) {
      facts.service_tier_raw = member.value.kind == JsonKind::string ? member.value.string_raw() : std::string_view();
    }
  });
  if (!scanned) {
    return malformed(scanned.error().what);
  }
  if (const std::string_view wrong = read_choices(choices, read_choice, facts); !wrong.empty()) {
    return malformed(wrong);
  }
  facts.error = read_error(error, data);
  facts.sloppy = facts.sloppy || choices.kind == JsonKind::null;
  if (usage.kind == JsonKind::object) {
    facts.usage = read_usage(usage.raw);
    facts.usage_only = facts.choices.none() && facts.choices_beyond == 0 && !facts.error;
  }
  facts.usage_member = cutter.cut();
  return facts;
}

}  // namespace

ChunkFacts inspect_chunk(std::string_view data) {
  return inspect(data, read_chat_choice);
}
ChunkFacts inspect_completion_chunk(std::string_view data) {
  return inspect(data, read_completion_choice);
}

namespace {

/// How long the escape is that begins with the backslash at `at`; 0: it is none of JSON's.
std::size_t escape_length(const char* at, const char* end) {
  const auto left = static_cast<std::size_t>(end - at);
  if (left < 2) {
    return 0;
  }
  if (at[1] != 'u') {
    return std::string_view("\"\\/bfnrt").contains(at[1]) ? 2 : 0;
  }
  constexpr std::size_t length = 6;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  return left >= length && std::all_of(at + 2, at + length, is_hex) ? length : 0;
}

/// The quote that ends the string which goes on at `at`; null: it has none, or is no string of JSON's.
const char* find_closing_quote(const char* at, const char* end, bool& non_ascii) {
  while (true) {
    const char* stop = text::detail::find_string_stop(at, end, non_ascii);
    if (stop == end || *stop == '"') {
      return stop == end ? nullptr : stop;
    }
    const std::size_t escape = *stop == '\\' ? escape_length(stop, end) : 0;
    if (escape == 0) {
      return nullptr;
    }
    at = stop + escape;
  }
}

}  // namespace

bool ChunkInspector::matches(std::string_view data) {
  const char* at = data.data();
  const char* end = at + data.size();
  std::size_t compared = 0;  // of the pattern
  const auto same = [&](std::size_t length) {
    if (static_cast<std::size_t>(end - at) < length || std::memcmp(at, pattern_.data() + compared, length) != 0) {
      return false;
    }
    at += length;
    return true;
  };
  for (Text& text : texts_) {
    if (!same(text.span.offset - compared)) {
      return false;
    }
    bool non_ascii = false;
    const char* stop = find_closing_quote(at, end, non_ascii);
    if (stop == nullptr) {
      return false;
    }
    text.now = static_cast<std::size_t>(at - data.data());
    text.length = static_cast<std::size_t>(stop - at);
    if ((text.length == 0) != (text.span.length == 0) || (non_ascii && !text::is_utf8({at, text.length}))) {
      return false;
    }
    at = stop;
    compared = text.span.end();
  }
  return same(pattern_.size() - compared) && at == end;
}

std::string_view ChunkInspector::moved(std::string_view data, std::size_t index) const {
  return index == texts_.size() ? std::string_view() : data.substr(texts_[index].now, texts_[index].length);
}

void ChunkInspector::remember(std::string_view data, const ChunkFacts& facts) {
  pattern_.clear();
  marked_ = std::string_view::npos;
  if (facts.malformed || facts.done || facts.error || facts.usage || facts.finished.any() ||
      facts.finished_beyond != 0 || ++misses_ > misses_max) {
    return;
  }
  texts_.clear();
  id_ = model_ = std::string_view::npos;
  for (std::size_t at = data.find('"'); at != std::string_view::npos; at = data.find('"', at + 1)) {
    bool non_ascii = false;
    const std::size_t begin = at + 1;
    const char* end = data.data() + data.size();
    const char* stop = data.data() + begin;
    while (*(stop = text::detail::find_string_stop(stop, end, non_ascii)) == '\\') {
      stop += 2;
    }
    at = static_cast<std::size_t>(stop - data.data());
    const std::size_t next = data.find_first_not_of(" \t\r\n", at + 1);
    if (next != std::string_view::npos && data[next] == ':') {
      continue;  // a key
    }
    if (data.data() + begin == facts.id_raw.data()) {
      id_ = texts_.size();
    } else if (data.data() + begin == facts.model_raw.data()) {
      model_ = texts_.size();
    }
    texts_.push_back({.span = {begin, at - begin}});
  }
  id_ = std::min(id_, texts_.size());
  model_ = std::min(model_, texts_.size());
  pattern_ = data;
  facts_ = facts;
  facts_.service_tier_raw = {};
}

ChunkFacts ChunkInspector::inspect(std::string_view data) {
  repeated_ = !pattern_.empty() && matches(data);
  if (!repeated_) {
    ChunkFacts facts = inspect_(data);
    remember(data, facts);
    return facts;
  }
  misses_ = 0;
  ChunkFacts facts = facts_;
  facts.id_raw = moved(data, id_);
  facts.model_raw = moved(data, model_);
  if (facts.usage_member) {
    // The member is no object here, so no text lies inside of it: it moved with the text before it.
    for (const Text& text : texts_) {
      if (text.span.offset > facts_.usage_member->offset) {
        break;
      }
      facts.usage_member->offset = facts_.usage_member->offset - text.span.end() + text.now + text.length;
    }
  }
  return facts;
}

void ChunkInspector::mark(std::size_t offset) {
  if (pattern_.empty()) {
    return;
  }
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if ((repeated_ ? texts_[i].now : texts_[i].span.offset) == offset) {
      marked_ = i;
    }
  }
}

Relay ChatStream::take(const ChunkFacts& facts) {
  if (done_seen_ || error_seen_) {
    return {Relay::How::swallow, {}};
  }
  done_seen_ = facts.done;
  error_seen_ = facts.error.has_value();
  malformed_seen_ = malformed_seen_ || facts.malformed;
  content_seen_ = content_seen_ || facts.content_bearing;
  choices_ |= facts.choices;
  finished_ |= facts.finished;
  finished_beyond_ += facts.finished_beyond;
  if (facts.usage) {
    usage_ = facts.usage;
  }
  if (usage_view_ == UsageView::shown || !facts.usage_member) {
    return {};
  }
  if (facts.usage_only) {
    return {Relay::How::swallow, {}};
  }
  return {Relay::How::cut, *facts.usage_member};
}

}  // namespace weir::openai
