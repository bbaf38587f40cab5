#include "tokens/chat.hpp"

#include <string>

#include "text/json_scan.hpp"
#include "text/json_value.hpp"

namespace weir::tokens {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

constexpr std::int64_t per_message = 3;
constexpr std::int64_t per_name = 1;
constexpr std::int64_t reply_priming = 3;
constexpr std::int64_t image_unseen = 765;  // of 1024 x 1024 in a gpt-4o: what stands behind an address is not fetched
constexpr std::int64_t image_low = 85;
constexpr std::int64_t per_tool_list = 12;

std::int64_t count_string(Tokenizer& tokenizer, const JsonValue& value) {
  return value.kind == JsonKind::string
             ? static_cast<std::int64_t>(tokenizer.count(text::unescape_lossy(value.string_raw())))
             : 0;
}

void count_part(Tokenizer& tokenizer, const JsonValue& part, PromptCount& sum) {
  if (part.kind != JsonKind::object) {
    return;
  }
  if (const auto words = text::find_member(part.raw, "text")) {
    sum.tokens += count_string(tokenizer, *words);
    return;
  }
  if (const auto refusal = text::find_member(part.raw, "refusal")) {
    sum.tokens += count_string(tokenizer, *refusal);
    return;
  }
  sum.exact = false;
  if (const auto image = text::find_member(part.raw, "image_url"); image && image->kind == JsonKind::object) {
    const auto detail = text::find_member(image->raw, "detail");
    sum.tokens += detail && detail->raw == R"("low")" ? image_low : image_unseen;
  }
}

void count_content(Tokenizer& tokenizer, const JsonValue& content, PromptCount& sum) {
  if (content.kind == JsonKind::array) {
    text::for_each_element(content.raw, [&](const JsonValue& part) { count_part(tokenizer, part, sum); });
  } else {
    sum.tokens += count_string(tokenizer, content);
  }
}

void count_message(Tokenizer& tokenizer, const JsonValue& message, PromptCount& sum) {
  sum.tokens += per_message;
  if (message.kind != JsonKind::object) {
    return;
  }
  text::for_each_member(message.raw, [&](const JsonMember& member) {
    if (text::key_equals(member, "content")) {
      count_content(tokenizer, member.value, sum);
    } else if (text::key_equals(member, "role")) {
      sum.tokens += count_string(tokenizer, member.value);
    } else if (text::key_equals(member, "name")) {
      sum.tokens += per_name + count_string(tokenizer, member.value);
    } else if (text::key_equals(member, "tool_calls") && member.value.kind == JsonKind::array) {
      sum.tokens += static_cast<std::int64_t>(tokenizer.count(member.value.raw));
      sum.exact = false;
    }
  });
}

std::int64_t count_element(Tokenizer& tokenizer, const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::string: return count_string(tokenizer, value);
    case JsonKind::number: return 1;  // a token that the caller made himself
    case JsonKind::array: {
      std::int64_t sum = 0;
      text::for_each_element(value.raw, [&](const JsonValue& one) {
        sum += one.kind == JsonKind::number ? 1 : count_string(tokenizer, one);
      });
      return sum;
    }
    default: return 0;
  }
}

}  // namespace

PromptCount count_chat(Tokenizer& tokenizer, std::string_view body) {
  PromptCount sum{.tokens = reply_priming};
  text::for_each_member(body, [&](const JsonMember& member) {
    if (text::key_equals(member, "messages") && member.value.kind == JsonKind::array) {
      text::for_each_element(member.value.raw,
                             [&](const JsonValue& message) { count_message(tokenizer, message, sum); });
    } else if ((text::key_equals(member, "tools") || text::key_equals(member, "functions")) &&
               member.value.kind == JsonKind::array && !text::is_empty(member.value)) {
      // The provider writes them down in a form of its own, which is shorter than their JSON.
      sum.tokens += per_tool_list + static_cast<std::int64_t>(tokenizer.count(member.value.raw));
      sum.exact = false;
    }
  });
  return sum;
}

PromptCount count_prompt(Tokenizer& tokenizer, std::string_view body, std::string_view name) {
  const auto prompt = text::find_member(body, name);
  if (!prompt) {
    return {};
  }
  PromptCount sum;
  if (prompt->kind == JsonKind::array) {
    text::for_each_element(prompt->raw, [&](const JsonValue& one) { sum.tokens += count_element(tokenizer, one); });
  } else {
    sum.tokens = count_string(tokenizer, *prompt);
  }
  return sum;
}

}  // namespace weir::tokens
