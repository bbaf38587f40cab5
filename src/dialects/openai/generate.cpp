#include "dialects/openai/generate.hpp"

#include <fmt/format.h>

#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

/// Appends what stands between the quotes of a content's text: a string, or the texts of a list of parts.
void append_raw_text(std::string& out, const JsonValue& content) {
  if (content.kind == JsonKind::string) {
    out += content.string_raw();
  } else if (content.kind == JsonKind::array) {
    text::for_each_element(content.raw, [&](const JsonValue& part) {
      if (part.kind != JsonKind::object) {
        return;
      }
      if (const auto words = text::find_member(part.raw, "text"); words && words->kind == JsonKind::string) {
        out += words->string_raw();
      }
    });
  }
}

/// The first choice, the only one that was asked for.
std::optional<JsonValue> first_choice(std::string_view reply) {
  std::optional<JsonValue> first;
  if (const auto choices = text::find_member(reply, "choices"); choices && choices->kind == JsonKind::array) {
    text::for_each_element(choices->raw, [&](const JsonValue& choice) {
      if (choice.kind == JsonKind::object) {
        first = choice;
      }
      return false;
    });
  }
  return first;
}

/// What lies in the choice under `name`: `message` or `delta`.
std::string raw_text_of(const JsonValue& choice, std::string_view name) {
  std::string raw;
  if (const auto message = text::find_member(choice.raw, name); message && message->kind == JsonKind::object) {
    if (const auto content = text::find_member(message->raw, "content")) {
      append_raw_text(raw, *content);
    }
  }
  return raw;
}

std::string_view raw_or_null(std::string_view object, std::string_view name) {
  const auto value = text::find_member(object, name);
  return value ? value->raw : std::string_view("null");
}

}  // namespace

std::expected<std::string, RequestError> chat_body_of_generate(std::string_view body) {
  std::optional<JsonValue> prompt;
  std::optional<RequestError> error;
  std::string others;
  const auto refuse = [&](RequestError why) {
    if (!error) {
      error = std::move(why);
    }
  };
  const auto scanned = text::scan_object(body, [&](const JsonMember& member) {
    if (text::key_equals(member, "prompt")) {
      if (prompt) {
        refuse({"Invalid value for 'prompt': it is given more than once.", "invalid_value", "prompt"});
      }
      prompt = member.value;
      return;
    }
    if (text::key_equals(member, "messages")) {
      refuse({"Unknown parameter: 'messages'. /v1/generate takes a `prompt`; send messages to /v1/chat/completions.",
              "unknown_parameter", "messages"});
    } else if (text::key_equals(member, "n") && member.value.kind != JsonKind::null &&
               text::to_int64(member.value) != 1) {
      refuse({"Invalid value for 'n': /v1/generate gives one answer.", "invalid_value", "n"});
    }
    const char* begin = member.key_raw.data() - 1;
    others += ',';
    others.append(begin, member.value.raw.data() + member.value.raw.size());
  });
  if (!scanned) {
    return std::unexpected(RequestError{
        fmt::format("The body is not a JSON object: {} at byte {}.", scanned.error().what, scanned.error().offset), "",
        ""});
  }
  if (!prompt || prompt->kind == JsonKind::null) {
    refuse({"Missing required parameter: 'prompt'.", "missing_required_parameter", "prompt"});
  } else if (prompt->kind != JsonKind::string) {
    refuse({fmt::format("Invalid type for 'prompt': expected a string, but got {} instead.",
                        text::to_string(prompt->kind)),
            "invalid_type", "prompt"});
  }
  if (error) {
    return std::unexpected(*std::move(error));
  }
  std::string chat = R"({"messages":[{"role":"user","content":)";
  chat.append(prompt->raw).append("}]").append(others).append("}");
  return chat;
}

std::optional<std::string> generate_reply(std::string_view chat_reply, bool cached) {
  if (!text::scan_object(chat_reply, [](const JsonMember&) {})) {
    return std::nullopt;
  }
  const auto choice = first_choice(chat_reply);
  return fmt::format(
      R"({{"id":{},"model":{},"text":"{}","finish_reason":{},"usage":{},"cached":{}}})", raw_or_null(chat_reply, "id"),
      raw_or_null(chat_reply, "model"), choice ? raw_text_of(*choice, "message") : "",
      choice ? raw_or_null(choice->raw, "finish_reason") : "null", raw_or_null(chat_reply, "usage"), cached);
}

void append_generate_event(std::string& out, std::string_view chunk) {
  const auto choice = first_choice(chunk);
  const std::string raw = choice ? raw_text_of(*choice, "delta") : std::string();
  if (!raw.empty()) {
    out.append("data: {\"text\":\"").append(raw).append("\"}\n\n");
  }
}

}  // namespace weir::openai
