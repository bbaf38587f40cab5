#include "dialects/openai/usage.hpp"

#include "text/json_value.hpp"

namespace weir::openai {

using text::JsonKind;
using text::JsonMember;

llm::Usage read_usage(std::string_view object) {
  llm::Usage usage;
  text::for_each_member(object, [&](const JsonMember& member) {
    if (text::key_equals(member, "prompt_tokens")) {
      usage.input_tokens = text::to_int64(member.value);
    } else if (text::key_equals(member, "completion_tokens")) {
      usage.output_tokens = text::to_int64(member.value);
    } else if (text::key_equals(member, "prompt_tokens_details") && member.value.kind == JsonKind::object) {
      text::for_each_member(member.value.raw, [&](const JsonMember& detail) {
        if (text::key_equals(detail, "cached_tokens")) {
          usage.cached_input_tokens = text::to_int64(detail.value);
        } else if (text::key_equals(detail, "cache_write_tokens")) {
          usage.cache_write_tokens = text::to_int64(detail.value);
        }
      });
    } else if (text::key_equals(member, "completion_tokens_details") && member.value.kind == JsonKind::object) {
      text::for_each_member(member.value.raw, [&](const JsonMember& detail) {
        if (text::key_equals(detail, "reasoning_tokens")) {
          usage.reasoning_tokens = text::to_int64(detail.value);
        }
      });
    }
  });
  return usage;
}

}  // namespace weir::openai
