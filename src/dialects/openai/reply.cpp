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

/// A reply's list, `choices` or `data`, and what to say where it is none.
struct ListWords {
  std::string_view name;
  std::string_view no_array;
  std::string_view no_object;
};

ReplyFacts inspect(std::string_view body, const ListWords& words) {
  ReplyFacts facts;
  JsonValue list;
  JsonValue error;
  JsonValue tier;
  text::JsonScanner scanner(body);
  scanner.enter_object();
  for (JsonMember member; scanner.next_name(member);) {
    const bool is_usage = text::key_equals(member, "usage");
    if (is_usage && scanner.at_object()) {
      facts.usage = read_usage(scanner);  // in the same pass
      continue;
    }
    if (!scanner.read_value(member.value)) {
      break;
    }
    if (is_usage) {
      facts.usage.reset();
    } else if (text::key_equals(member, words.name)) {
      list = member.value;
    } else if (text::key_equals(member, "error")) {
      error = member.value;
    } else if (text::key_equals(member, "service_tier")) {
      tier = member.value;
    }
  }
  if (!scanner.finish()) {
    return malformed(scanner.error().what);
  }
  facts.error = read_error(error, body);
  if (list.kind != JsonKind::array && !facts.error) {
    return malformed(words.no_array);
  }
  if (list.kind == JsonKind::array) {
    // The first one tells: walking all of them would cost as much as the whole scan did.
    const std::size_t first = list.raw.find_first_not_of(" \t\r\n", 1);
    if (list.raw[first] != '{' && list.raw[first] != ']') {
      return malformed(words.no_object);
    }
  }
  if (tier.kind == JsonKind::string) {
    facts.service_tier = tier.string_raw();
  }
  return facts;
}

}  // namespace

ReplyFacts inspect_reply(std::string_view body) {
  return inspect(body,
                 {.name = "choices", .no_array = "choices is not an array", .no_object = "a choice is not an object"});
}

ReplyFacts inspect_embeddings(std::string_view body) {
  return inspect(body,
                 {.name = "data", .no_array = "data is not an array", .no_object = "an embedding is not an object"});
}

}  // namespace weir::openai
