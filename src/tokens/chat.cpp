#include "tokens/chat.hpp"

#include <functional>
#include <string>

#include "text/json_scan.hpp"
#include "text/json_value.hpp"
#include "tokens/estimate.hpp"

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

/// What a text weighs: counted or estimated.
using Weigh = std::function<std::int64_t(std::string_view text)>;

Weigh counting_with(Tokenizer& tokenizer) {
  return [&tokenizer](std::string_view text) { return static_cast<std::int64_t>(tokenizer.count(text)); };
}

std::int64_t count_string(const Weigh& weigh, const JsonValue& value) {
  return value.kind == JsonKind::string ? weigh(text::unescape_lossy(value.string_raw())) : 0;
}

void count_part(const Weigh& weigh, const JsonValue& part, PromptCount& sum) {
  if (part.kind != JsonKind::object) {
    return;
  }
  if (const auto words = text::find_member(part.raw, "text")) {
    sum.tokens += count_string(weigh, *words);
    return;
  }
  if (const auto refusal = text::find_member(part.raw, "refusal")) {
    sum.tokens += count_string(weigh, *refusal);
    return;
  }
  sum.exact = false;
  if (const auto image = text::find_member(part.raw, "image_url"); image && image->kind == JsonKind::object) {
    const auto detail = text::find_member(image->raw, "detail");
    sum.tokens += detail && detail->raw == R"("low")" ? image_low : image_unseen;
  }
}

void count_content(const Weigh& weigh, const JsonValue& content, PromptCount& sum) {
  if (content.kind == JsonKind::array) {
    text::for_each_element(content.raw, [&](const JsonValue& part) { count_part(weigh, part, sum); });
  } else {
    sum.tokens += count_string(weigh, content);
  }
}

void count_message(const Weigh& weigh, const JsonValue& message, PromptCount& sum) {
  sum.tokens += per_message;
  if (message.kind != JsonKind::object) {
    return;
  }
  text::for_each_member(message.raw, [&](const JsonMember& member) {
    if (text::key_equals(member, "content")) {
      count_content(weigh, member.value, sum);
    } else if (text::key_equals(member, "role")) {
      sum.tokens += count_string(weigh, member.value);
    } else if (text::key_equals(member, "name")) {
      sum.tokens += per_name + count_string(weigh, member.value);
    } else if (text::key_equals(member, "tool_calls") && member.value.kind == JsonKind::array) {
      sum.tokens += weigh(member.value.raw);
      sum.exact = false;
    }
  });
}

std::int64_t count_element(const Weigh& weigh, const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::string: return count_string(weigh, value);
    case JsonKind::number: return 1;  // a token that the caller made himself
    case JsonKind::array: {
      std::int64_t sum = 0;
      text::for_each_element(
          value.raw, [&](const JsonValue& one) { sum += one.kind == JsonKind::number ? 1 : count_string(weigh, one); });
      return sum;
    }
    default: return 0;
  }
}

PromptCount weigh_chat(const Weigh& weigh, std::string_view body) {
  PromptCount sum{.tokens = reply_priming};
  text::for_each_member(body, [&](const JsonMember& member) {
    if (text::key_equals(member, "messages") && member.value.kind == JsonKind::array) {
      text::for_each_element(member.value.raw, [&](const JsonValue& message) { count_message(weigh, message, sum); });
    } else if ((text::key_equals(member, "tools") || text::key_equals(member, "functions")) &&
               member.value.kind == JsonKind::array && !text::is_empty(member.value)) {
      // The provider writes them down in a form of its own, which is shorter than their JSON.
      sum.tokens += per_tool_list + weigh(member.value.raw);
      sum.exact = false;
    }
  });
  return sum;
}

PromptCount weigh_prompt(const Weigh& weigh, std::string_view body, std::string_view name) {
  const auto prompt = text::find_member(body, name);
  if (!prompt) {
    return {};
  }
  PromptCount sum;
  if (prompt->kind == JsonKind::array) {
    text::for_each_element(prompt->raw, [&](const JsonValue& one) { sum.tokens += count_element(weigh, one); });
  } else {
    sum.tokens = count_string(weigh, *prompt);
  }
  return sum;
}

/// The texts of a choice's message, or of a choice itself.
void weigh_answer(const Weigh& weigh, std::string_view object, PromptCount& sum) {
  text::for_each_member(object, [&](const JsonMember& member) {
    const JsonValue& value = member.value;
    if (text::key_equals(member, "message") && value.kind == JsonKind::object) {
      weigh_answer(weigh, value.raw, sum);
    } else if (text::key_equals(member, "content")) {
      count_content(weigh, value, sum);
    } else if (text::key_equals(member, "text") || text::key_equals(member, "refusal") ||
               text::key_equals(member, "reasoning_content") || text::key_equals(member, "reasoning")) {
      sum.tokens += count_string(weigh, value);
    } else if ((text::key_equals(member, "tool_calls") || text::key_equals(member, "function_call") ||
                text::key_equals(member, "audio")) &&
               value.kind != JsonKind::null && !text::is_empty(value)) {
      sum.tokens += weigh(value.raw);
      sum.exact = false;
    }
  });
}

PromptCount weigh_reply(const Weigh& weigh, std::string_view reply) {
  PromptCount sum;
  if (const auto choices = text::find_member(reply, "choices"); choices && choices->kind == JsonKind::array) {
    text::for_each_element(choices->raw, [&](const JsonValue& choice) {
      if (choice.kind == JsonKind::object) {
        weigh_answer(weigh, choice.raw, sum);
      }
    });
  }
  return sum;
}

}  // namespace

PromptCount count_chat(Tokenizer& tokenizer, std::string_view body) {
  return weigh_chat(counting_with(tokenizer), body);
}

PromptCount count_prompt(Tokenizer& tokenizer, std::string_view body, std::string_view name) {
  return weigh_prompt(counting_with(tokenizer), body, name);
}

PromptCount count_reply(Tokenizer& tokenizer, std::string_view reply) {
  return weigh_reply(counting_with(tokenizer), reply);
}

std::int64_t estimate_chat(std::string_view body) {
  return weigh_chat(estimate, body).tokens;
}

std::int64_t estimate_prompt(std::string_view body, std::string_view name) {
  return weigh_prompt(estimate, body, name).tokens;
}

std::int64_t estimate_reply(std::string_view reply) {
  return weigh_reply(estimate, reply).tokens;
}

}  // namespace weir::tokens
