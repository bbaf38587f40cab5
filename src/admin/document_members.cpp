#include "admin/document_members.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "admin/call_query.hpp"
#include "ledger/budget_rules.hpp"
#include "limits/rules.hpp"
#include "observe/json_time.hpp"
#include "text/json_scan.hpp"

namespace weir::admin {

namespace {

constexpr std::size_t list_max = 256;
constexpr std::size_t list_text_bytes_max = 256;
constexpr std::size_t moment_bytes_max = 100;

std::unexpected<Error> refuse(std::string_view path, std::string_view what) {
  return fail(Code::invalid_request, fmt::format("{} {}", path, what));
}

/// Of Unicode's C0 or C1, or a DEL. `text` is UTF-8, where C1 is 0xC2 and a byte below 0xA0.
bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < ' ' || byte == 0x7F || c1) {
      return true;
    }
  }
  return false;
}

/// A name that is a word can stand in a path; behind another one the path would say too much.
bool is_word(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

/// Half a surrogate pair is JSON, but no text: who reads it back may get something else, or nothing.
Result<void> check_texts(const text::JsonValue& value, const std::string& path) {
  constexpr std::string_view half = "holds half a surrogate pair, which is no character";
  Result<void> result;
  if (value.kind == text::JsonKind::string && !text::unescape(value.string_raw())) {
    result = refuse(path, half);
  } else if (value.kind == text::JsonKind::array) {
    std::size_t index = 0;
    text::for_each_element(value.raw, [&](const text::JsonValue& element) {
      result = check_texts(element, fmt::format("{}[{}]", path, index++));
      return result.has_value();
    });
  } else if (value.kind == text::JsonKind::object) {
    text::for_each_member(value.raw, [&](const text::JsonMember& member) {
      const auto name = text::unescape(member.key_raw);
      result = name ? check_texts(member.value, is_word(*name) ? path + "." + *name : path)
                    : refuse(path, fmt::format("has a member whose name {}", half));
      return result.has_value();
    });
  }
  return result;
}

}  // namespace

Result<void> check_document(std::string_view json) {
  if (json.size() > document_bytes_max) {
    return fail(Code::invalid_request,
                fmt::format("The document is larger than {} KiB, which is the most.", document_bytes_max >> 10));
  }
  if (const auto valid = text::scan_object(json, [](const text::JsonMember&) {}, 64); !valid) {
    return fail(Code::invalid_request, fmt::format("The body has to be a JSON object; at byte {}: {}.",
                                                   valid.error().offset, valid.error().what));
  }
  return {};
}

Result<void> read_text(const text::JsonValue& value, std::string_view path, std::size_t bytes_max,
                       std::string_view fallback, std::string& into) {
  if (value.kind == text::JsonKind::null) {
    into = fallback;
    return {};
  }
  if (value.kind != text::JsonKind::string) {
    return refuse(path, fmt::format("is {}, and has to be a string", to_string(value.kind)));
  }
  auto text = text::unescape(value.string_raw());
  if (!text || has_control(*text)) {
    return refuse(path, "holds a character that cannot stand in it");
  }
  if (text->size() > bytes_max) {
    return refuse(path, fmt::format("is longer than {} bytes", bytes_max));
  }
  into = std::move(*text);
  return {};
}

Result<void> read_name_or_null(const text::JsonValue& value, std::string_view path, std::size_t bytes_max,
                               std::string& into) {
  auto read = read_text(value, path, bytes_max, "", into);
  return read && into.empty() && value.kind != text::JsonKind::null
             ? refuse(path, "is empty: write null where there is to be none")
             : read;
}

Result<void> read_flag(const text::JsonValue& value, std::string_view path, bool fallback, bool& into) {
  const auto flag = text::to_bool(value);
  if (!flag && value.kind != text::JsonKind::null) {
    return refuse(path, "is neither true nor false");
  }
  into = flag.value_or(fallback);
  return {};
}

Result<void> read_moment(const text::JsonValue& value, std::string_view path, std::string& into, std::string& written) {
  written.clear();
  if (value.kind == text::JsonKind::null) {
    into.clear();
    return {};
  }
  const bool is_text = value.kind == text::JsonKind::string && value.raw.size() <= moment_bytes_max;
  written = is_text ? text::unescape_lossy(value.string_raw()) : std::string();
  const auto time = parse_time(written);
  if (!time) {
    return refuse(path, "is no moment: write 2027-01-31T09:30:00Z, or a day, 2027-01-31");
  }
  into = observe::rfc3339(*time);
  return {};
}

Result<void> read_list(const text::JsonValue& value, std::string_view path, std::string_view fallback,
                       std::string_view (*check)(std::string_view), std::string& into) {
  if (value.kind == text::JsonKind::null) {
    into = fallback;
    return {};
  }
  if (value.kind != text::JsonKind::array) {
    return refuse(path, fmt::format("is {}, and has to be a list of strings", to_string(value.kind)));
  }
  Result<void> result;
  std::size_t count = 0;
  text::for_each_element(value.raw, [&](const text::JsonValue& element) {
    const std::string at = fmt::format("{}[{}]", path, count);
    std::string text;
    result = element.kind == text::JsonKind::null ? refuse(at, "is null, and has to be a string")
                                                  : read_text(element, at, list_text_bytes_max, "", text);
    if (result && text.empty()) {
      result = refuse(at, "is empty");
    }
    if (result) {
      if (const std::string_view wrong = check(text); !wrong.empty()) {
        result = refuse(at, fmt::format("is \"{}\": {}", text, wrong));
      }
    }
    ++count;
    return result.has_value();
  });
  if (result && count > list_max) {
    return refuse(path, fmt::format("has more than {} entries", list_max));
  }
  if (result) {
    into = value.raw;
  }
  return result;
}

Result<void> read_object(const text::JsonValue& value, std::string_view path, std::string& into) {
  if (value.kind == text::JsonKind::null) {
    into = "{}";
    return {};
  }
  if (value.kind != text::JsonKind::object) {
    return refuse(path, fmt::format("is {}, and has to be an object", to_string(value.kind)));
  }
  if (auto good = check_texts(value, std::string(path)); !good) {
    return good;
  }
  into = value.raw;
  return {};
}

Result<void> read_rules(std::string_view name, const text::JsonValue& value, RuleTexts rules) {
  if (name == "limits") {
    auto read = read_object(value, name, *rules.limits);
    const auto parsed = read ? limits::parse_rules(*rules.limits) : std::unexpected(read.error());
    return parsed ? Result<void>() : std::unexpected(parsed.error());
  }
  if (value.kind != text::JsonKind::null && value.kind != text::JsonKind::array) {
    return refuse(name, fmt::format("is {}, and has to be a list of objects", to_string(value.kind)));
  }
  std::string& into = name == "budgets" ? *rules.budgets : *rules.quotas;
  into = value.kind == text::JsonKind::null ? "[]" : std::string(value.raw);
  return {};
}

Result<void> check_rules(RuleTexts rules) {
  const auto parsed = ledger::parse_budget_rules(*rules.budgets, *rules.quotas);
  return parsed ? Result<void>() : std::unexpected(parsed.error());
}

Result<void> refuse_read_only(std::string_view json, std::span<const std::string_view> names) {
  Result<void> result;
  text::for_each_member(json, [&](const text::JsonMember& member) {
    const auto name = std::ranges::find_if(names, [&](std::string_view one) { return text::key_equals(member, one); });
    if (name != names.end()) {
      result = refuse(*name, "is set by weir: leave it out");
    }
    return result.has_value();
  });
  return result;
}

void append_text(std::string& out, std::string_view name, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "\"{}\":", name);
  if (text.empty()) {
    out += "null";
  } else {
    text::append_json_string(out, text);
  }
  out += ',';
}

void append_string(std::string& out, std::string_view name, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "\"{}\":", name);
  text::append_json_string(out, text);
  out += ',';
}

void append_moment(std::string& out, std::string_view name, std::string_view moment) {
  constexpr std::string_view whole = ".000Z";
  append_text(out, name,
              moment.ends_with(whole) ? fmt::format("{}Z", moment.substr(0, moment.size() - whole.size()))
                                      : std::string(moment));
}

void append_raw(std::string& out, std::string_view name, std::string_view json) {
  fmt::format_to(std::back_inserter(out), "\"{}\":{},", name, json);
}

std::string path_in(std::string_view message) {
  if (message.starts_with('`')) {
    return std::string(message.substr(1, message.find('`', 1) - 1));
  }
  const std::string_view path = message.substr(0, message.find_first_of(": "));
  const bool named = path.size() < message.size() && !path.empty() && path.front() >= 'a' && path.front() <= 'z';
  return named ? std::string(path) : std::string();
}

}  // namespace weir::admin
