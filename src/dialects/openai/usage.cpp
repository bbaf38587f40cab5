#include "dialects/openai/usage.hpp"

#include <algorithm>

#include "text/json_value.hpp"

namespace weir::openai {

using text::JsonKind;
using text::JsonMember;

namespace {

std::int64_t count_of(const text::JsonValue& value) {
  constexpr std::int64_t most = 1'000'000'000;  // sums stay in their bounds
  return std::clamp(text::to_int64(value).value_or(0), std::int64_t{0}, most);
}

/// Absent where it is no count: what a provider says below zero would give back what others used.
std::optional<std::int64_t> told(const text::JsonValue& value) {
  const std::optional<std::int64_t> count = text::to_int64(value);
  return count && *count >= 0 ? count : std::nullopt;
}

void read_count(const JsonMember& member, llm::Usage& usage) {
  if (text::key_equals(member, "prompt_tokens")) {
    usage.input_tokens = told(member.value);
  } else if (text::key_equals(member, "completion_tokens")) {
    usage.output_tokens = told(member.value);
  } else if (text::key_equals(member, "prompt_cache_hit_tokens")) {
    // DeepSeek's older word for it, which stands beside the details or in their place.
    usage.cached_input_tokens = usage.cached_input_tokens ? usage.cached_input_tokens : told(member.value);
  }
}

void read_prompt_detail(const JsonMember& detail, llm::Usage& usage) {
  if (text::key_equals(detail, "cached_tokens")) {
    usage.cached_input_tokens = told(detail.value);
  } else if (text::key_equals(detail, "cache_write_tokens") || text::key_equals(detail, "cache_creation_tokens")) {
    usage.cache_write_tokens = told(detail.value);
  } else if (text::key_equals(detail, "cache_creation_token_details") && detail.value.kind == JsonKind::object) {
    // Gateways in front of Anthropic, LiteLLM first: how long what was written is kept, in Anthropic's words.
    if (const auto hour = text::find_member(detail.value.raw, "ephemeral_1h_input_tokens")) {
      usage.cache_write_hour_tokens = count_of(*hour);
    }
  } else if (text::key_equals(detail, "audio_tokens")) {
    usage.audio_input_tokens = count_of(detail.value);
  } else if (text::key_equals(detail, "image_tokens") || text::key_equals(detail, "video_tokens")) {
    usage.image_input_tokens += count_of(detail.value);
  }
}

void read_completion_detail(const JsonMember& detail, llm::Usage& usage) {
  if (text::key_equals(detail, "reasoning_tokens")) {
    usage.reasoning_tokens = told(detail.value);
  } else if (text::key_equals(detail, "audio_tokens")) {
    usage.audio_output_tokens = count_of(detail.value);
  } else if (text::key_equals(detail, "image_tokens")) {
    usage.image_output_tokens = count_of(detail.value);
  }
}

}  // namespace

llm::Usage read_usage(text::JsonScanner& scanner) {
  llm::Usage usage;
  scanner.enter_object();
  for (JsonMember member; scanner.next_name(member);) {
    if (scanner.at_object() && text::key_equals(member, "prompt_tokens_details")) {
      scanner.each_member([&](const JsonMember& detail) { read_prompt_detail(detail, usage); });
    } else if (scanner.at_object() && text::key_equals(member, "completion_tokens_details")) {
      scanner.each_member([&](const JsonMember& detail) { read_completion_detail(detail, usage); });
    } else if (scanner.read_value(member.value)) {
      read_count(member, usage);
    }
  }
  return usage;
}

llm::Usage read_usage(std::string_view object) {
  text::JsonScanner scanner(object);
  return read_usage(scanner);
}

}  // namespace weir::openai
