#include "settings/schema.hpp"

#include "base/assert.hpp"
#include "settings/nearest.hpp"
#include "settings/units.hpp"
#include "settings/url.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

namespace weir::settings {

namespace {

/// Numbers of all kinds on one line, for the comparison with bounds.
std::optional<double> magnitude(Type type, std::string_view text) {
  switch (type) {
    case Type::integer: {
      const auto value = parse_integer(text);
      return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
    }
    case Type::number: return parse_number(text);
    case Type::duration: {
      const auto value = parse_duration(text);
      return value ? std::optional(static_cast<double>(value->count())) : std::nullopt;
    }
    case Type::bytes: {
      const auto value = parse_bytes(text);
      return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

std::string_view wanted(Type type) {
  switch (type) {
    case Type::integer: return "is not a whole number";
    case Type::number: return "is not a number";
    case Type::duration: return "is not a duration; write 250ms, 30s, 5m or 24h (a plain number is seconds)";
    case Type::bytes: return "is not a size; write 64KiB or 32MiB (a plain number is bytes)";
    default: return "";
  }
}

std::string bounds(const Option& option) {
  if (option.max.empty()) {
    return fmt::format("at least {}", option.min);
  }
  return option.min.empty() ? fmt::format("at most {}", option.max) : fmt::format("{} to {}", option.min, option.max);
}

std::string number_complaint(const Option& option, std::string_view text) {
  const auto value = magnitude(option.type, text);
  if (!value) {
    return std::string(wanted(option.type));
  }
  if (!option.min.empty() && *value < *magnitude(option.type, option.min)) {
    return fmt::format("is too small; allowed: {}", bounds(option));
  }
  if (!option.max.empty() && *value > *magnitude(option.type, option.max)) {
    return fmt::format("is too large; allowed: {}", bounds(option));
  }
  return {};
}

}  // namespace

std::string complaint(const Option& option, std::string_view text) {
  switch (option.type) {
    case Type::section:
    case Type::text:
    case Type::secret: return {};
    case Type::boolean: return parse_boolean(text) ? "" : "is neither true nor false";
    case Type::choice:
      if (std::ranges::find(option.words, text) != option.words.end()) {
        return {};
      }
      return fmt::format("is not one of {}{}", fmt::join(option.words, ", "), did_you_mean(text, option.words));
    case Type::url: {
      const auto url = parse_url(text);
      return url ? "" : url.error().message;
    }
    case Type::integer:
    case Type::number:
    case Type::duration:
    case Type::bytes: return number_complaint(option, text);
  }
  return {};
}

std::vector<std::string> split_pattern(std::string_view pattern) {
  std::vector<std::string> names;
  while (!pattern.empty()) {
    if (pattern.starts_with("[]")) {
      names.emplace_back("[]");
      pattern.remove_prefix(2);
    } else {
      const std::size_t end = pattern.find_first_of(".[");
      names.emplace_back(pattern.substr(0, end));
      pattern.remove_prefix(end == std::string_view::npos ? pattern.size() : end);
    }
    if (pattern.starts_with('.')) {
      pattern.remove_prefix(1);
    }
  }
  return names;
}

Schema::Schema(std::vector<Option> options) : options_(std::move(options)) {
  places_.emplace_back();
  for (const Option& option : options_) {
    const std::size_t at = place_at(option.path);
    WEIR_ASSERT(places_[at].option == nullptr, "an option is described twice");
    places_[at].option = &option;
    if (option.repeat != Repeat::one) {
      const std::size_t item = place_at(option.path + "[]");
      places_[item].option = &option;
    }
    for (const std::string* text : {&option.fallback, &option.min, &option.max}) {
      const bool listed = option.repeat != Repeat::one && text == &option.fallback;
      WEIR_ASSERT(text->empty() || listed || complaint(option, *text).empty(), "a default or bound is no such value");
    }
  }
}

std::size_t Schema::place_at(std::string_view pattern) {
  std::size_t at = 0;
  for (const std::string& name : split_pattern(pattern)) {
    std::size_t next = 0;
    if (name == "*") {
      next = places_[at].any_name;
    } else if (name == "[]") {
      next = places_[at].items;
    } else if (auto found = places_[at].names.find(name); found != places_[at].names.end()) {
      next = found->second;
    }
    if (next == 0) {
      next = places_.size();
      places_.emplace_back();
      if (name == "*") {
        places_[at].any_name = next;
      } else if (name == "[]") {
        places_[at].items = next;
        places_[next].is_item = true;
      } else {
        places_[at].names.emplace(name, next);
      }
    }
    at = next;
  }
  return at;
}

void Schema::add_alias(std::string_view name, std::string_view path) {
  const std::size_t target = place_at(path);
  const std::size_t dot = name.rfind('.');
  const std::size_t parent = dot == std::string_view::npos ? 0 : place_at(name.substr(0, dot));
  const bool fresh =
      places_[parent].names.emplace(name.substr(dot == std::string_view::npos ? 0 : dot + 1), target).second;
  WEIR_ASSERT(fresh, "an alias has the name of an option");
}

const Option* Schema::find(std::string_view pattern) const {
  const Place* place = &root();
  for (const std::string& name : split_pattern(pattern)) {
    std::size_t next = 0;
    if (name == "*") {
      next = place->any_name;
    } else if (name == "[]") {
      next = place->items;
    } else if (auto found = place->names.find(name); found != place->names.end()) {
      next = found->second;
    }
    if (next == 0) {
      return nullptr;
    }
    place = &places_[next];
  }
  return place->option;
}

const Schema::Place* Schema::child(const Place& place, std::string_view key) const {
  if (auto found = place.names.find(key); found != place.names.end()) {
    return &places_[found->second];
  }
  return place.any_name == 0 ? nullptr : &places_[place.any_name];
}

const Schema::Place* Schema::items(const Place& place) const {
  return place.items == 0 ? nullptr : &places_[place.items];
}

std::vector<std::string> Schema::names(const Place& place) {
  std::vector<std::string> names;
  for (const auto& [name, index] : place.names) {
    names.push_back(name);
  }
  return names;
}

}  // namespace weir::settings
