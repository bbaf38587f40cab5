#include "settings/environment.hpp"

#include "settings/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace weir::settings {

namespace {

using Place = Schema::Place;

/// How a name is spelt in a variable: GPT_4O for gpt-4o.
std::string as_variable(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    out += plain ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : '_';
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::vector<std::string> split_variable(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find("__");
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 2);
  }
}

struct Found {
  std::vector<std::string> names;
  const Place* place = nullptr;
};

/// The option that a variable names; nothing where there is none.
std::optional<Found> resolve(std::string_view variable, const Schema& schema, const Node& file) {
  Found found{.names = {}, .place = &schema.root()};
  const Node* node = &file;
  for (const std::string& part : split_variable(variable)) {
    std::string name;
    for (const auto& [own, index] : found.place->names) {
      if (as_variable(own) == part) {
        name = own;
      }
    }
    if (name.empty() && found.place->any_name != 0 && !part.empty()) {
      name = lower(part);
      if (node != nullptr) {
        auto entry = std::ranges::find(node->entries, part, [](const Entry& e) { return as_variable(e.key); });
        if (entry != node->entries.end()) {
          name = entry->key;
        }
      }
    }
    const Place* next = name.empty() ? nullptr : schema.child(*found.place, name);
    if (next == nullptr) {
      return std::nullopt;
    }
    node = node == nullptr ? nullptr : node->find(name);
    found.names.push_back(std::move(name));
    found.place = next;
  }
  return found;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

bool holds_value(const Place& place) {
  return place.option != nullptr && place.option->type != Type::section;
}

/// The variable's text as the option's value or list; nothing where only a section fits.
std::optional<Node> as_value(const Place& place, const Schema& schema, const std::string& variable,
                             std::string_view text) {
  const Place* items = schema.items(place);
  const bool single = holds_value(place) && place.option->repeat != Repeat::list;
  const bool listed = items != nullptr && holds_value(*items);
  if (single && (!listed || (complaint(*place.option, text).empty() && !text.contains(',')))) {
    return scalar(std::string(text), {.source = variable});
  }
  if (!listed) {
    return std::nullopt;
  }
  Node list{.kind = Node::Kind::list, .origin = {.source = variable}};
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    list.items.push_back(scalar(std::string(trimmed(text.substr(0, comma))), {.source = variable}));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return list;
}

/// Every option without names of the user's, as a variable, for suggestions.
std::vector<std::string> all_variables(const VariableNames& names, const Schema& schema) {
  std::vector<std::string> all;
  for (const Option& option : schema.options()) {
    if (option.type != Type::section && !option.path.contains('*') && !option.path.contains('[')) {
      std::string variable = names.prefix;
      for (const std::string& part : split_pattern(option.path)) {
        variable += variable == names.prefix ? as_variable(part) : "__" + as_variable(part);
      }
      all.push_back(std::move(variable));
    }
  }
  return all;
}

}  // namespace

Node read_named_variables(const Environment& environment, const VariableNames& names, const Schema& schema) {
  Node root{.kind = Node::Kind::map};
  for (const NamedVariable& named : names.named) {
    auto found = environment.find(named.name);
    if (found == environment.end() || found->second.empty()) {
      continue;
    }
    const Place* place = &schema.root();
    const std::vector<std::string> path = split_pattern(named.path);
    for (const std::string& name : path) {
      place = schema.child(*place, name);
    }
    if (auto value = as_value(*place, schema, named.name, found->second)) {
      set_path(root, path, std::move(*value));
    }
  }
  return root;
}

Node read_prefixed_variables(const Environment& environment, const VariableNames& names, const Schema& schema,
                             const Node& file, Report& report) {
  Node root{.kind = Node::Kind::map};
  for (const auto& [name, text] : environment) {
    if (!name.starts_with(names.prefix) || std::ranges::find(names.elsewhere, name) != names.elsewhere.end()) {
      continue;
    }
    auto found = resolve(std::string_view(name).substr(names.prefix.size()), schema, file);
    auto value = found ? as_value(*found->place, schema, name, text) : std::nullopt;
    if (!value) {
      report.notice(
          {.source = name}, "",
          fmt::format("ignored: no option has this name{}", did_you_mean(name, all_variables(names, schema))));
    } else if (!text.empty()) {
      set_path(root, found->names, std::move(*value));
    }
  }
  return root;
}

}  // namespace weir::settings
