#include "dialects/openai/prefill.hpp"

#include <array>

#include "text/json_value.hpp"

namespace weir::openai {

namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

/// Members that constrain the output as a whole; what is given of it is not counted as a part.
constexpr std::array<std::string_view, 9> constraining{"response_format", "structured_outputs", "grammar",
                                                       "json_schema",     "guided_json",        "guided_regex",
                                                       "guided_choice",   "guided_grammar",     "logprobs"};

bool is_set(const JsonValue& value) {
  return value.kind != JsonKind::null && !(value.kind == JsonKind::boolean && !value.is_true());
}

}  // namespace

std::vector<Edit> edit_prefill(const Request& request, std::string_view body, std::string_view text, Prefill how) {
  JsonValue messages;
  bool constrained = how == Prefill::none || request.choices_asked() != 1;
  text::for_each_member(body, [&](const JsonMember& member) {
    if (text::key_equals(member, "messages")) {
      messages = member.value;
    }
    for (const std::string_view name : constraining) {
      constrained = constrained || (text::key_equals(member, name) && is_set(member.value));
    }
  });
  if (constrained || messages.kind != JsonKind::array || text::is_empty(messages)) {
    return {};
  }
  JsonValue last;
  text::for_each_element(messages.raw, [&](const JsonValue& message) { last = message; });
  const auto role = last.kind == JsonKind::object ? text::find_member(last.raw, "role") : std::nullopt;
  if (!role || (role->kind == JsonKind::string && text::unescape_lossy(role->string_raw()) == "assistant")) {
    return {};
  }
  std::string message = R"(,{"role":"assistant","content":)";
  text::append_json_string(message, text);
  message += how == Prefill::prefix || how == Prefill::prefix_echoed ? R"(,"prefix":true})" : "}";
  std::vector<Edit> edits;
  if (how == Prefill::continue_final) {
    edits.push_back({request.members_begin, 0, R"("add_generation_prompt":false,"continue_final_message":true,)"});
  }
  edits.push_back({text::Span::within(body, messages.raw).end() - 1, 0, std::move(message)});
  return edits;
}

}  // namespace weir::openai
