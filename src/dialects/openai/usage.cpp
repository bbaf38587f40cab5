#include "dialects/openai/usage.hpp"

#include <algorithm>

#include "text/json_value.hpp"

namespace weir::openai {

using text::JsonKind;
using text::JsonMember;

namespace {

void add_media(const JsonMember& detail, llm::Usage& usage) {
  if (text::key_equals(detail, "audio_tokens") || text::key_equals(detail, "image_tokens")) {
    constexpr std::int64_t most = 1'000'000'000;  // the sum stays in its bounds
    usage.media_tokens += std::clamp(text::to_int64(detail.value).value_or(0), std::int64_t{0}, most);
  }
}

}  // namespace

llm::Usage read_usage(std::string_view object) {
  llm::Usage usage;
  text::for_each_member(object, [&](const JsonMember& member) {
    if (text::key_equals(member, "prompt_tokens")) {
      usage.input_tokens = text::to_int64(member.value);
    } else if (text::key_equals(member, "completion_tokens")) {
      usage.output_tokens = text::to_int64(member.value);
    } else if (text::key_equals(member, "prompt_cache_hit_tokens")) {
      // DeepSeek's older word for it, which stands beside the details or in their place.
      usage.cached_input_tokens = usage.cached_input_tokens ? usage.cached_input_tokens : text::to_int64(member.value);
    } else if (text::key_equals(member, "prompt_tokens_details") && member.value.kind == JsonKind::object) {
      text::for_each_member(member.value.raw, [&](const JsonMember& detail) {
        if (text::key_equals(detail, "cached_tokens")) {
          usage.cached_input_tokens = text::to_int64(detail.value);
        } else if (text::key_equals(detail, "cache_write_tokens")) {
          usage.cache_write_tokens = text::to_int64(detail.value);
        } else {
          add_media(detail, usage);
        }
      });
    } else if (text::key_equals(member, "completion_tokens_details") && member.value.kind == JsonKind::object) {
      text::for_each_member(member.value.raw, [&](const JsonMember& detail) {
        if (text::key_equals(detail, "reasoning_tokens")) {
          usage.reasoning_tokens = text::to_int64(detail.value);
        } else {
          add_media(detail, usage);
        }
      });
    }
  });
  return usage;
}

}  // namespace weir::openai
