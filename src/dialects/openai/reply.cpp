#include "dialects/openai/reply.hpp"

#include "dialects/openai/usage.hpp"
#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

ReplyFacts malformed(std::string_view why) {
  ReplyFacts facts;
  facts.malformed = true;
  facts.malformed_why = why;
  return facts;
}

}  // namespace

ReplyFacts inspect_reply(std::string_view body) {
  JsonValue choices;
  JsonValue usage;
  JsonValue error;
  const auto scanned = text::scan_object(body, [&](const JsonMember& member) {
    if (text::key_equals(member, "choices")) {
      choices = member.value;
    } else if (text::key_equals(member, "usage")) {
      usage = member.value;
    } else if (text::key_equals(member, "error")) {
      error = member.value;
    }
  });
  if (!scanned) {
    return malformed(scanned.error().what);
  }
  ReplyFacts facts;
  facts.error = read_error(error, body);
  if (choices.kind != JsonKind::array && !facts.error) {
    return malformed("choices is not an array");
  }
  if (choices.kind == JsonKind::array) {
    // The first one tells: walking all of them would cost as much as the whole scan did.
    const std::size_t first = choices.raw.find_first_not_of(" \t\r\n", 1);
    if (choices.raw[first] != '{' && choices.raw[first] != ']') {
      return malformed("a choice is not an object");
    }
  }
  if (usage.kind == JsonKind::object) {
    facts.usage = read_usage(usage.raw);
  }
  return facts;
}

}  // namespace weir::openai
