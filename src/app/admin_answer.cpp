#include "app/admin_answer.hpp"

#include <fmt/format.h>

#include <iterator>

#include "text/json_value.hpp"
#include "text/printable.hpp"

namespace weir::app {

namespace {

constexpr std::size_t beginning_bytes_max = 200;

std::string words_of(const text::JsonValue& value) {
  if (value.kind == text::JsonKind::null) {
    return "";
  }
  return value.kind == text::JsonKind::string ? text::unescape_lossy(value.string_raw()) : std::string(value.raw);
}

}  // namespace

Result<void> check_object(std::string_view body) {
  // A document of the deepest kind that weir takes stands inside others here.
  const auto valid = text::scan_object(body, [](const text::JsonMember&) {}, text::json_depth_limit);
  if (valid) {
    return {};
  }
  std::string message = fmt::format("the answer cannot be read: at byte {} of {}, {}", valid.error().offset,
                                    body.size(), valid.error().what);
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && body[first] != '{' && body[first] != '[') {  // a page of somebody else's
    message += "; it begins: " + beginning_of(body);
  }
  return fail(Code::upstream_malformed, std::move(message));
}

std::string cell(std::string_view object, std::string_view name) {
  const auto value = text::find_member(object, name);
  return value ? words_of(*value) : "";
}

Result<std::vector<std::string_view>> rows_of(std::string_view body) {
  if (auto checked = check_object(body); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  const auto data = text::find_member(body, "data");
  if (!data || data->kind != text::JsonKind::array) {
    return fail(Code::upstream_malformed, "the answer is no list");
  }
  std::vector<std::string_view> rows;
  text::for_each_element(data->raw, [&rows](const text::JsonValue& row) {
    if (row.kind == text::JsonKind::object) {
      rows.push_back(row.raw);
    }
  });
  return rows;
}

std::string lines_of(std::string_view object) {
  std::string lines;
  text::for_each_member(object, [&lines](const text::JsonMember& member) {
    const std::string name = text::unescape_lossy(member.key_raw);
    const std::string words = text::is_empty(member.value) ? "" : words_of(member.value);
    if (name != "object" && name != "key" && name != "notices" && !words.empty()) {
      fmt::format_to(std::back_inserter(lines), "{:<24} {}\n", text::printable(name), text::printable(words));
    }
  });
  return lines;
}

std::vector<std::string> notices_of(std::string_view object) {
  std::vector<std::string> notices;
  if (const auto list = text::find_member(object, "notices"); list && list->kind == text::JsonKind::array) {
    text::for_each_element(
        list->raw, [&](const text::JsonValue& notice) { notices.push_back(text::printable(words_of(notice))); });
  }
  return notices;
}

std::string beginning_of(std::string_view body) {
  return text::printable(body.substr(0, beginning_bytes_max)) + (body.size() > beginning_bytes_max ? " ..." : "");
}

}  // namespace weir::app
