#include "dialects/openai/stream_checker.hpp"

#include <fmt/format.h>

#include <utility>

#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

bool is_text(const std::optional<JsonValue>& value) {
  return value && value->kind == JsonKind::string && !text::is_empty(*value);
}

bool is_null_or_absent(const std::optional<JsonValue>& value) {
  return !value || value->kind == JsonKind::null;
}

std::optional<std::int64_t> integer_of(std::string_view object, std::string_view name) {
  const auto value = text::find_member(object, name);
  return value ? text::to_int64(*value) : std::nullopt;
}

/// Names that occur twice in one object, at its top level.
std::vector<std::string> names_given_twice(std::string_view object) {
  std::map<std::string, int> counts;
  text::for_each_member(object, [&](const JsonMember& member) { ++counts[text::unescape_lossy(member.key_raw)]; });
  std::vector<std::string> twice;
  for (const auto& [name, count] : counts) {
    if (count > 1) {
      twice.push_back(name);
    }
  }
  return twice;
}

}  // namespace

void StreamChecker::violate(std::string text) {
  violations_.push_back(fmt::format("event {}: {}", events_, std::move(text)));
}

void StreamChecker::feed(std::string_view data) {
  ++events_;
  if (terminal_ == Terminal::done) {
    violate("an event follows [DONE]");
  } else if (terminal_ == Terminal::error) {
    violate(data.starts_with("[DONE]") ? "[DONE] follows an error" : "an event follows an error");
  }
  if (data.starts_with("[DONE]")) {
    check_done();
    return;
  }
  if (const auto scanned = text::scan_object(data, [](const JsonMember&) {}); !scanned) {
    violate(fmt::format("the data is not a JSON object: {} at byte {}", scanned.error().what, scanned.error().offset));
    return;
  }
  for (const std::string& name : names_given_twice(data)) {
    violate(fmt::format("'{}' is given twice", name));
  }
  if (const auto error = text::find_member(data, "error"); error && error->kind != JsonKind::null) {
    check_error(*error);
    return;
  }
  check_chunk(data);
}

void StreamChecker::end() {
  if (terminal_ == Terminal::none) {
    violate("the body ends without [DONE] and without an error");
  }
}

std::string StreamChecker::content(std::int64_t choice) const {
  const auto found = choices_.find(choice);
  return found != choices_.end() ? found->second.content : std::string();
}

void StreamChecker::check_done() {
  if (terminal_ == Terminal::none) {
    terminal_ = Terminal::done;
    if (choices_.empty()) {
      violate("[DONE] without any choice");
    }
    for (const auto& [index, choice] : choices_) {
      if (!choice.finished) {
        violate(fmt::format("[DONE] while choice {} is not finished", index));
      }
    }
    if (usage_ == Usage::asked && !usage_seen_) {
      violate("[DONE] without the usage that was asked for");
    }
  }
}

void StreamChecker::check_error(const JsonValue& error) {
  terminal_ = terminal_ == Terminal::none ? Terminal::error : terminal_;
  if (error.kind != JsonKind::object) {
    violate("the error is not an object");
    return;
  }
  for (const std::string_view name : {"message", "type", "param", "code"}) {
    const auto value = text::find_member(error.raw, name);
    const bool may_be_null = name == "param" || name == "code";
    const bool right = value && (value->kind == JsonKind::string || (may_be_null && value->kind == JsonKind::null));
    if (!right) {
      violate(fmt::format("the error's '{}' is {}", name, value ? "of a wrong type" : "missing"));
    }
  }
}

void StreamChecker::check_constant(std::string_view data, std::string_view name, JsonKind kind,
                                   std::optional<std::string>& first) {
  const auto value = text::find_member(data, name);
  if (!value || value->kind != kind || text::is_empty(*value)) {
    violate(fmt::format("'{}' is missing, empty or of a wrong type", name));
    return;
  }
  if (!first) {
    first = std::string(value->raw);
  } else if (*first != value->raw) {
    violate(fmt::format("'{}' changes from {} to {}", name, *first, value->raw));
  }
}

void StreamChecker::check_chunk(std::string_view data) {
  check_constant(data, "id", JsonKind::string, id_);
  check_constant(data, "model", JsonKind::string, model_);
  check_constant(data, "created", JsonKind::number, created_);
  const auto object = text::find_member(data, "object");
  if (!object || object->raw != R"("chat.completion.chunk")") {
    violate("'object' is not \"chat.completion.chunk\"");
  }
  const auto choices = text::find_member(data, "choices");
  if (!choices || choices->kind != JsonKind::array) {
    violate("'choices' is not an array");
    return;
  }
  const bool has_choices = !text::is_empty(*choices);
  check_usage(data, has_choices);
  if (usage_seen_ && has_choices) {
    violate("choices come after the usage");
  }
  text::for_each_element(choices->raw, [this](const JsonValue& choice) { check_choice(choice); });
}

void StreamChecker::check_usage(std::string_view data, bool has_choices) {
  const auto usage = text::find_member(data, "usage");
  if (usage_ == Usage::not_asked) {
    if (usage) {
      violate("a usage member that nobody asked for");
    }
    if (!has_choices) {
      violate("a chunk without choices");
    }
    return;
  }
  if (!usage) {
    violate("no usage member, though usage was asked for");
  } else if (has_choices != (usage->kind == JsonKind::null)) {
    violate("usage must be null beside choices, and an object without them");
  } else if (!has_choices) {
    if (usage_seen_) {
      violate("a second usage");
    }
    usage_seen_ = true;
    if (usage->kind != JsonKind::object || !integer_of(usage->raw, "prompt_tokens") ||
        !integer_of(usage->raw, "completion_tokens") || !integer_of(usage->raw, "total_tokens")) {
      violate("the usage lacks its counts");
    }
  }
}

void StreamChecker::check_choice(const JsonValue& value) {
  if (value.kind != JsonKind::object) {
    violate("a choice is not an object");
    return;
  }
  const auto index = integer_of(value.raw, "index");
  if (!index || *index < 0) {
    violate("a choice has no index");
    return;
  }
  Choice& choice = choices_[*index];
  if (choice.finished) {
    violate(fmt::format("choice {} goes on after its finish reason", *index));
  }
  const auto delta = text::find_member(value.raw, "delta");
  if (!delta || delta->kind != JsonKind::object) {
    violate(fmt::format("choice {} has no delta", *index));
  } else {
    check_delta(*index, choice, delta->raw);
  }
  const auto finish_reason = text::find_member(value.raw, "finish_reason");
  if (!finish_reason) {
    violate(fmt::format("choice {} has no finish_reason", *index));
  } else if (is_text(finish_reason)) {
    choice.finished = true;
  } else if (finish_reason->kind != JsonKind::null) {
    violate(fmt::format("choice {} has a finish_reason that is neither null nor a text", *index));
  }
}

void StreamChecker::check_delta(std::int64_t index, Choice& choice, std::string_view delta) {
  const auto role = text::find_member(delta, "role");
  if (role && !is_text(role)) {
    violate(fmt::format("choice {} has an empty role", index));
  }
  const auto content = text::find_member(delta, "content");
  if (!is_null_or_absent(content)) {
    if (content->kind == JsonKind::string) {
      choice.content += text::unescape_lossy(content->string_raw());
    } else {
      violate(fmt::format("choice {} has a content that is not a text", index));
    }
  }
  const auto tool_calls = text::find_member(delta, "tool_calls");
  if (!is_null_or_absent(tool_calls)) {
    if (tool_calls->kind == JsonKind::array) {
      text::for_each_element(tool_calls->raw, [&](const JsonValue& call) { check_tool_call(index, choice, call); });
    } else {
      violate(fmt::format("choice {} has tool_calls that are not an array", index));
    }
  }
}

void StreamChecker::check_tool_call(std::int64_t index, Choice& choice, const JsonValue& call) {
  if (call.kind != JsonKind::object) {
    violate(fmt::format("choice {} has a tool call that is not an object", index));
    return;
  }
  const auto tool_index = integer_of(call.raw, "index");
  if (!tool_index) {
    violate(fmt::format("choice {} has a tool call without an index", index));
    return;
  }
  const auto next = static_cast<std::int64_t>(choice.tool_calls.size());
  const bool is_new = !choice.tool_calls.contains(*tool_index);
  if (is_new && *tool_index != next) {
    violate(fmt::format("choice {} has tool call {} where {} is the next", index, *tool_index, next));
  }
  ToolCall& seen = choice.tool_calls[*tool_index];
  const auto check_once = [&](const std::optional<JsonValue>& value, bool& has, std::string_view name) {
    if (is_new && !is_text(value)) {
      violate(fmt::format("tool call {} of choice {} begins without its {}", *tool_index, index, name));
    } else if (!is_new && is_text(value) && has) {  // an empty text adds nothing
      violate(fmt::format("tool call {} of choice {} repeats its {}", *tool_index, index, name));
    }
    has = has || is_text(value);
  };
  check_once(text::find_member(call.raw, "id"), seen.has_id, "id");
  auto body = text::find_member(call.raw, "function");
  if (!body) {
    body = text::find_member(call.raw, "custom");
  }
  std::optional<JsonValue> name;
  if (body && body->kind == JsonKind::object) {
    name = text::find_member(body->raw, "name");
  }
  check_once(name, seen.has_name, "name");
}

}  // namespace weir::openai
