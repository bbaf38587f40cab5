#include "dialects/openai/delta_texts.hpp"

#include <array>
#include <utility>

#include "text/json_value.hpp"

namespace weir::openai {

namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;
using text::Span;

constexpr std::array<std::pair<std::string_view, TextField>, 4> delta_fields{
    {{"content", TextField::content},
     {"reasoning_content", TextField::reasoning_content},
     {"reasoning", TextField::reasoning},
     {"refusal", TextField::refusal}}};
/// Content in forms that grow otherwise than by appending a text.
constexpr std::array<std::string_view, 5> other_fields{"tool_calls", "function_call", "audio", "images",
                                                       "reasoning_details"};

bool says_something(const JsonValue& value) {
  return value.kind != JsonKind::null && !text::is_empty(value);
}

class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}

  DeltaTexts read() {
    text::for_each_member(data_, [this](const JsonMember& member) {
      if (text::key_equals(member, "choices")) {
        if (member.value.kind == JsonKind::array) {
          text::for_each_element(member.value.raw, [this](const JsonValue& choice) { read_choice(choice); });
        }
      } else if (text::key_equals(member, "id")) {
        texts_.id = Span::within(data_, member.value.raw);
      } else if (text::key_equals(member, "created")) {
        texts_.created = Span::within(data_, member.value.raw);
      } else if (text::key_equals(member, "model")) {
        texts_.model = Span::within(data_, member.value.raw);
      }
    });
    return std::move(texts_);
  }

 private:
  void read_choice(const JsonValue& choice) {
    if (choice.kind != JsonKind::object) {
      return;
    }
    const std::size_t first = texts_.pieces.size();
    std::int64_t index = 0;
    bool finished = false;
    text::for_each_member(choice.raw, [&](const JsonMember& member) {
      const JsonValue& value = member.value;
      if (text::key_equals(member, "index")) {
        index = value.kind == JsonKind::null ? 0 : text::to_int64(value).value_or(0);
      } else if (text::key_equals(member, "delta")) {
        if (value.kind == JsonKind::object) {
          read_delta(value.raw);
        }
      } else if (text::key_equals(member, "text")) {
        take(value, TextField::text);
      } else if (text::key_equals(member, "finish_reason")) {
        finished = says_something(value);
      } else if (text::key_equals(member, "logprobs")) {
        texts_.other = texts_.other || says_something(value);
      }
    });
    if (index < 0 || index >= static_cast<std::int64_t>(choices_max)) {
      texts_.other = true;
      texts_.pieces.resize(first);
      return;
    }
    const auto place = static_cast<std::size_t>(index);
    for (std::size_t i = first; i < texts_.pieces.size(); ++i) {
      texts_.pieces[i].choice = place;
    }
    if (finished) {
      texts_.finished.set(place);
    }
  }

  void read_delta(std::string_view delta) {
    const char* end_before = nullptr;
    bool role_is_first = false;
    text::for_each_member(delta, [&](const JsonMember& member) {
      const char* begin = member.key_raw.data() - 1;
      if (std::exchange(role_is_first, false)) {
        texts_.roles.back().length = offset(begin) - texts_.roles.back().offset;  // with the comma behind it
      }
      const char* end = member.value.raw.data() + member.value.raw.size();
      if (text::key_equals(member, "role")) {
        role_is_first = end_before == nullptr;
        const std::size_t from = offset(role_is_first ? begin : end_before);
        texts_.roles.push_back({from, offset(end) - from});
      } else {
        read_member(member);
      }
      end_before = end;
    });
  }

  void read_member(const JsonMember& member) {
    for (const auto& [name, field] : delta_fields) {
      if (text::key_equals(member, name)) {
        take(member.value, field);
        return;
      }
    }
    for (const std::string_view name : other_fields) {
      if (text::key_equals(member, name)) {
        texts_.other = texts_.other || says_something(member.value);
        return;
      }
    }
  }

  void take(const JsonValue& value, TextField field) {
    if (value.kind != JsonKind::string) {
      texts_.other = texts_.other || says_something(value);
    } else if (!text::is_empty(value)) {
      texts_.pieces.push_back({.choice = 0, .field = field, .raw = Span::within(data_, value.string_raw())});
    }
  }

  [[nodiscard]] std::size_t offset(const char* place) const { return static_cast<std::size_t>(place - data_.data()); }

  std::string_view data_;
  DeltaTexts texts_;
};

}  // namespace

std::string_view to_string(TextField field) {
  switch (field) {
    case TextField::content: return "content";
    case TextField::reasoning_content: return "reasoning_content";
    case TextField::reasoning: return "reasoning";
    case TextField::refusal: return "refusal";
    case TextField::text: return "text";
  }
  return {};
}

DeltaTexts read_delta_texts(std::string_view data) {
  return Reader(data).read();
}

}  // namespace weir::openai
