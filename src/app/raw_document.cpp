#include "app/raw_document.hpp"

#include <algorithm>

#include "text/json_value.hpp"

namespace weir::app {

namespace {

std::string quoted(std::string_view text) {
  std::string json;
  text::append_json_string(json, text);
  return json;
}

}  // namespace

std::optional<RawDocument> RawDocument::parse(std::string_view json) {
  RawDocument document;
  const auto valid = text::scan_object(json, [&](const text::JsonMember& member) {
    document.members_.emplace_back('"' + std::string(member.key_raw) + '"', member.value.raw);
  });
  return valid ? std::optional(std::move(document)) : std::nullopt;
}

void RawDocument::set(std::string_view name, std::string json) {
  std::string key = quoted(name);
  const auto there = std::ranges::find(members_, key, &std::pair<std::string, std::string>::first);
  if (there != members_.end()) {
    there->second = std::move(json);
  } else {
    members_.emplace_back(std::move(key), std::move(json));
  }
}

void RawDocument::set_text(std::string_view name, std::string_view text) {
  set(name, quoted(text));
}

void RawDocument::set_texts(std::string_view name, std::span<const std::string> texts) {
  std::string list = "[";
  for (const std::string& text : texts) {
    list += (list.size() > 1 ? "," : "") + quoted(text);
  }
  set(name, list + "]");
}

std::string RawDocument::to_json() const {
  std::string json = "{";
  for (const auto& [name, value] : members_) {
    json.append(json.size() > 1 ? "," : "").append(name).append(":").append(value);
  }
  return json + "}";
}

}  // namespace weir::app
