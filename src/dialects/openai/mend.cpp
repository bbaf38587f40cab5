#include "dialects/openai/mend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

/// An object that may be written anew with other members.
class Draft {
 public:
  explicit Draft(std::string_view object) {
    text::for_each_member(object, [this](const JsonMember& member) {
      fields_.push_back({.key_raw = member.key_raw, .escapes = member.key_has_escapes, .value = member.value});
    });
  }

  /// The value of that name as it came; the last one, as JSON.parse reads it. Null where it is absent.
  [[nodiscard]] const JsonValue* find(std::string_view name) const {
    const auto found = std::ranges::find_if(fields_.rbegin(), fields_.rend(), [&](const Field& field) {
      return !field.dropped && text::key_equals({field.key_raw, field.escapes, field.value}, name);
    });
    return found == fields_.rend() ? nullptr : &found->value;
  }
  /// Absent and null are one.
  [[nodiscard]] const JsonValue* find_value(std::string_view name) const {
    const JsonValue* value = find(name);
    return value == nullptr || value->kind == JsonKind::null ? nullptr : value;
  }
  /// What stands between the quotes of a text that is not empty.
  [[nodiscard]] std::string_view text_of(std::string_view name) const {
    const JsonValue* value = find(name);
    return value != nullptr && value->kind == JsonKind::string ? value->string_raw() : std::string_view();
  }
  void drop(std::string_view name) {
    for (Field& field : fields_) {
      if (text::key_equals({field.key_raw, field.escapes, field.value}, name)) {
        field.dropped = true;
        changed_ = true;
      }
    }
  }
  /// In the place of the one that stands there, else in front of all.
  void set(std::string_view name, std::string value) {
    changed_ = true;
    for (Field& field : fields_) {
      if (!field.dropped && text::key_equals({field.key_raw, field.escapes, field.value}, name)) {
        field.replacement = std::move(value);
        return;
      }
    }
    fields_.insert(fields_.begin(), Field{.key_raw = name, .replacement = std::move(value)});
  }
  void set(std::string_view name, std::optional<std::string> value) {
    if (value) {
      set(name, *std::move(value));
    }
  }

  /// Nothing if it stays as it was.
  [[nodiscard]] std::optional<std::string> changed() const {
    if (!changed_) {
      return std::nullopt;
    }
    std::string out = "{";
    for (const Field& field : fields_) {
      if (!field.dropped) {
        out.append(out.size() == 1 ? "\"" : ",\"").append(field.key_raw).append("\":");
        out.append(field.replacement.empty() ? field.value.raw : std::string_view(field.replacement));
      }
    }
    return out.append("}");
  }

 private:
  struct Field {
    std::string_view key_raw;
    bool escapes = false;
    JsonValue value;
    std::string replacement{};
    bool dropped = false;
  };
  std::vector<Field> fields_;
  bool changed_ = false;
};

std::optional<std::int64_t> integer_of(const JsonValue* value) {
  return value == nullptr ? std::nullopt : text::to_int64(*value);
}

void note(MendSet& mended, Mend mend) {
  mended.set(static_cast<std::size_t>(mend));
}

}  // namespace

std::string_view to_string(Mend mend) {
  switch (mend) {
    case Mend::choices: return "choices";
    case Mend::choice_index: return "choice_index";
    case Mend::delta: return "delta";
    case Mend::role: return "role";
    case Mend::finish_reason: return "finish_reason";
    case Mend::tool_index: return "tool_index";
    case Mend::tool_id: return "tool_id";
    case Mend::tool_repeats: return "tool_repeats";
    case Mend::tool_arguments: return "tool_arguments";
    case Mend::count_: break;
  }
  return "";
}

MendSet StreamMender::mend(std::string_view data, bool usage_cut, std::vector<Edit>& edits) {
  MendSet mended;
  JsonValue choices;
  std::size_t members = 0;
  text::for_each_member(data, [&](const JsonMember& member) {
    ++members;
    if (text::key_equals(member, "choices")) {
      choices = member.value;
    }
  });
  if (choices.kind == JsonKind::null) {
    note(mended, Mend::choices);
    if (!choices.raw.empty()) {
      edits.push_back({text::Span::within(data, choices.raw).offset, choices.raw.size(), "[]"});
    } else {
      const bool others = members > (usage_cut ? 1U : 0U);
      edits.push_back({data.find('{') + 1, 0, others ? R"("choices":[],)" : R"("choices":[])"});
    }
    return mended;
  }
  text::for_each_element(choices.raw, [&](const JsonValue& choice) {
    const auto sent = text::find_member(choice.raw, "index");
    const auto place = static_cast<std::size_t>(sent ? text::to_int64(*sent).value_or(0) : 0);
    if (auto text = mend_choice(choice.raw, place, mended)) {
      edits.push_back({text::Span::within(data, choice.raw).offset, choice.raw.size(), *std::move(text)});
    }
  });
  return mended;
}

std::optional<std::string> StreamMender::mend_choice(std::string_view choice, std::size_t place, MendSet& mended) {
  Draft draft(choice);
  const JsonValue* delta = draft.find_value("delta");
  const bool no_delta = delta == nullptr;
  if (no_delta) {
    note(mended, Mend::delta);
  }
  auto mended_delta = mend_delta(no_delta ? "{}" : delta->raw, place, mended);
  if (no_delta && !mended_delta) {
    mended_delta = "{}";
  }
  draft.set("delta", std::move(mended_delta));
  if (const JsonValue* reason = draft.find_value("finish_reason")) {
    if (text::is_empty(*reason)) {
      note(mended, Mend::finish_reason);
      draft.set("finish_reason", std::string("null"));
    } else if (with_tools_.test(place) && reason->raw == R"("stop")") {
      note(mended, Mend::finish_reason);
      draft.set("finish_reason", std::string(R"("tool_calls")"));
    }
  }
  if (draft.find_value("index") == nullptr) {
    note(mended, Mend::choice_index);
    draft.set("index", std::string("0"));
  }
  return draft.changed();
}

std::optional<std::string> StreamMender::mend_delta(std::string_view delta, std::size_t place, MendSet& mended) {
  Draft draft(delta);
  const bool begins = !begun_.test(place);
  begun_.set(place);
  // One that is missing, or comes with every event, is left alone: many servers do so, and their streams are their own.
  if (const JsonValue* role = draft.find_value("role"); role != nullptr && text::is_empty(*role)) {
    note(mended, Mend::role);
    if (begins) {
      draft.set("role", std::string(R"("assistant")"));
    } else {
      draft.drop("role");
    }
  }
  const JsonValue* calls = draft.find("tool_calls");
  if (calls != nullptr && calls->kind == JsonKind::array && !text::is_empty(*calls)) {
    draft.set("tool_calls", mend_calls(calls->raw, place, mended));
  }
  return draft.changed();
}

std::optional<std::string> StreamMender::mend_calls(std::string_view list, std::size_t place, MendSet& mended) {
  std::string out = "[";
  bool changed = false;
  std::vector<std::size_t> begun;  // in this event: a server that brings whole calls brings each in one entry
  text::for_each_element(list, [&](const JsonValue& call) {
    const auto text = call.kind == JsonKind::object ? mend_call(call.raw, place, begun, mended) : std::nullopt;
    changed = changed || text.has_value();
    out.append(out.size() == 1 ? "" : ",").append(text ? std::string_view(*text) : call.raw);
  });
  return changed ? std::optional(out.append("]")) : std::nullopt;
}

std::optional<std::string> StreamMender::mend_call(std::string_view call, std::size_t place,
                                                   std::vector<std::size_t>& begun, MendSet& mended) {
  Draft draft(call);
  const std::string_view kind = draft.find_value("custom") != nullptr ? "custom" : "function";
  const JsonValue* function = draft.find_value(kind);
  Draft body(function != nullptr && function->kind == JsonKind::object ? function->raw : "{}");
  const std::string_view id = draft.text_of("id");
  const std::string_view name = body.text_of("name");
  const auto sent_index = integer_of(draft.find("index"));

  // Which call is it a part of? The latest to which the server gave that index, else the one with that id, else the
  // latest of all.
  std::vector<ToolCall>& calls = calls_[place];
  std::size_t index = calls.size();
  for (std::size_t i = calls.size(); i-- > 0 && index == calls.size();) {
    if (sent_index ? calls[i].sent_index == sent_index : !id.empty() && calls[i].id_raw == id) {
      index = i;
    }
  }
  if (index == calls.size() && name.empty() && !calls.empty() && (!sent_index || id.empty())) {
    index = calls.size() - 1;
  }
  bool named = false;  // by this part, which is not its first
  if (index < calls.size() && !name.empty()) {
    // It names a function, so it may begin another call that was given the same index. A server that repeats what it
    // said repeats both name and id.
    const ToolCall& known = calls[index];
    const bool begun_here = std::ranges::find(begun, index) != begun.end();
    const bool other_id = !id.empty() && id != known.id_raw;
    const bool other_name = name != known.name_raw;
    named = known.name_raw.empty() && !other_id && !begun_here;
    if (named) {
      calls[index].name_raw = name;
    } else if (other_id || other_name || begun_here) {
      index = calls.size();
    }
  }
  const bool begins = index == calls.size();
  if (begins && calls_count_ >= calls_max) {
    return std::nullopt;
  }
  if (sent_index != static_cast<std::int64_t>(index)) {
    note(mended, Mend::tool_index);
    draft.set("index", std::to_string(index));
    renumbered_ = true;
  }
  if (begins) {
    ++calls_count_;
    with_tools_.set(place);
    begun.push_back(index);
    ToolCall& known = calls.emplace_back(sent_index, std::string(id), std::string(name));
    if (id.empty()) {
      note(mended, Mend::tool_id);
      known.id_raw = made_up_id(place, index);
      draft.set("id", fmt::format("\"{}\"", known.id_raw));
    }
  } else {
    // An empty text adds nothing where clients concatenate, so it stays.
    if (!id.empty()) {
      note(mended, Mend::tool_repeats);
      draft.drop("id");
    }
    if (!name.empty() && !named) {
      note(mended, Mend::tool_repeats);
      body.drop("name");
    }
  }
  const JsonValue* arguments = body.find_value("arguments");
  if (arguments != nullptr && arguments->kind == JsonKind::object) {
    note(mended, Mend::tool_arguments);
    std::string text;
    text::append_json_string(text, arguments->raw);
    body.set("arguments", std::move(text));
  }
  draft.set(kind, body.changed());
  return draft.changed();
}

/// In the form that most servers use. The same call gives the same id, another call another one.
std::string StreamMender::made_up_id(std::size_t place, std::size_t index) const {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  const auto mix = [&hash](unsigned char byte) { hash = (hash ^ byte) * 1099511628211U; };
  for (const char c : seed_) {
    mix(static_cast<unsigned char>(c));
  }
  mix(static_cast<unsigned char>(place));
  mix(static_cast<unsigned char>(index));
  mix(static_cast<unsigned char>(index >> 8U));
  return fmt::format("call_{:016x}", hash);
}

}  // namespace weir::openai
