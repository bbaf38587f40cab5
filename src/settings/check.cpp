#include "settings/check.hpp"

#include "settings/nearest.hpp"
#include "settings/units.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace weir::settings {

namespace {

using Place = Schema::Place;
using Kind = Node::Kind;

bool takes_map(const Place& place) {
  return !place.names.empty() || place.any_name != 0;
}
bool takes_list(const Place& place) {
  return place.items != 0;
}
bool takes_scalar(const Place& place) {
  return place.option != nullptr && place.option->type != Type::section &&
         (place.option->repeat != Repeat::list || place.is_item);
}

/// "a value, a list or a section", as far as it is true.
std::string what_fits(const Place& place) {
  std::vector<std::string> kinds;
  if (takes_scalar(place)) {
    kinds.emplace_back("a single value");
  }
  if (takes_list(place)) {
    kinds.emplace_back("a list");
  }
  if (takes_map(place)) {
    const std::vector<std::string> names = Schema::names(place);
    const std::size_t shown = std::min<std::size_t>(names.size(), 3);
    kinds.push_back(
        shown == 0 ? "a section with names of your own"
                   : fmt::format("a section with options such as {}",
                                 fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", ")));
  }
  std::string text = fmt::format("{}", fmt::join(kinds, " or "));
  if (place.option != nullptr && !place.option->example.empty()) {
    text += fmt::format(", for example {}", place.option->example);
  }
  return text;
}

class ShapeCheck {
 public:
  ShapeCheck(const Schema& schema, Report& report, ShapeOptions options)
      : schema_(schema), report_(report), options_(options) {}

  void check(Node& node, const Place& place, const std::string& path, const Origin& where, bool noticed) {
    if (node.bad) {
      return;
    }
    noticed = notice(place, path, where, noticed);
    switch (node.kind) {
      case Kind::null: check_null(node, place, path); return;
      case Kind::scalar:
        if (!takes_scalar(place)) {
          wrong_kind(node, place, path, node.text.empty() ? "an empty text" : fmt::format("\"{}\"", node.text));
        }
        return;
      case Kind::list:
        if (!takes_list(place)) {
          wrong_kind(node, place, path, "a list");
          return;
        }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          check(node.items[i], *schema_.items(place), item_path(path, i), node.items[i].origin, noticed);
        }
        return;
      case Kind::map:
        if (!takes_map(place)) {
          wrong_kind(node, place, path, "a section with options of its own");
          return;
        }
        for (Entry& entry : node.entries) {
          check_entry(entry, place, path, noticed);
        }
        return;
    }
  }

 private:
  bool notice(const Place& place, const std::string& path, const Origin& where, bool noticed) {
    const Option* option = place.option;
    if (noticed || option == nullptr || option->state == State::built) {
      return noticed;
    }
    if (options_.notices) {
      const bool later = option->state == State::later;
      std::string text = later ? "accepted, not built yet in this version" : "accepted, means nothing here";
      if (!option->why.empty()) {
        text += fmt::format(": {}", option->why);
      }
      report_.notice(where, path, std::move(text));
    }
    return true;
  }

  void check_null(Node& node, const Place& place, const std::string& path) {
    // A section whose options are all commented out is empty, which is fine.
    if (takes_map(place) || (takes_list(place) && !takes_scalar(place))) {
      return;
    }
    node.bad = true;
    report_.error(node.origin, path, fmt::format("has no value; write {}, or remove the line", what_fits(place)));
  }

  void wrong_kind(Node& node, const Place& place, const std::string& path, const std::string& found) {
    node.bad = true;
    // `{b:1}` is the key "b:1" without a value, and `b:1` on a line of its own a mere text.
    const bool colon = node.kind == Kind::scalar && !node.quoted && takes_map(place) && node.text.contains(':');
    report_.error(node.origin, path,
                  fmt::format("found {}, expected {}{}", found, what_fits(place),
                              colon ? "; a blank belongs after the colon" : ""));
  }

  void check_entry(Entry& entry, const Place& place, const std::string& path, bool noticed) {
    const std::string below = join_path(path, entry.key);
    const Place* next = schema_.child(place, entry.key);
    if (next == nullptr) {
      unknown(entry, place, below);
      return;
    }
    const bool own_name = !place.names.contains(entry.key);
    if (own_name && !entry.quoted && is_yaml_trap(entry.key)) {
      report_.error(entry.origin, below,
                    fmt::format("bare {0} is a boolean or null in YAML; put the name in quotes: \"{0}\"", entry.key));
    }
    if (own_name && entry.key.empty()) {
      report_.error(entry.origin, below, "an empty name");
    }
    check(entry.value, *next, below, entry.origin, noticed);
  }

  void unknown(Entry& entry, const Place& place, const std::string& path) {
    entry.value.bad = true;
    const std::vector<std::string> names = Schema::names(place);
    const std::size_t colon = entry.key.find(':');
    if (colon != std::string::npos && !entry.quoted && place.names.contains(entry.key.substr(0, colon))) {
      report_.error(entry.origin, path,
                    fmt::format("a blank belongs after the colon: {}: {}", entry.key.substr(0, colon),
                                entry.key.substr(colon + 1)));
      return;
    }
    std::string cure = did_you_mean(entry.key, names);
    if (cure.empty()) {
      cure = fmt::format("; allowed here: {}", fmt::join(names, ", "));
    }
    report_.error(entry.origin, path, fmt::format("unknown option{}", cure));
  }

  const Schema& schema_;
  Report& report_;
  ShapeOptions options_;
};

class ValueCheck {
 public:
  ValueCheck(const Schema& schema, Report& report) : schema_(schema), report_(report) {}

  void check(Node& node, const Place& place, const std::string& path) {
    if (node.bad) {
      return;
    }
    if (node.kind == Kind::scalar && takes_scalar_or_item(place)) {
      check_scalar(node, *place.option, path);
    }
    for (std::size_t i = 0; i < node.items.size() && takes_list(place); ++i) {
      check(node.items[i], *schema_.items(place), item_path(path, i));
    }
    for (Entry& entry : node.entries) {
      if (const Place* next = schema_.child(place, entry.key)) {
        check(entry.value, *next, join_path(path, entry.key));
      }
    }
  }

 private:
  static bool takes_scalar_or_item(const Place& place) {
    return place.option != nullptr && place.option->type != Type::section;
  }

  void check_scalar(Node& node, const Option& option, const std::string& path) {
    if (option.type == Type::text && !node.quoted && node.written.empty() && is_yaml_trap(node.text)) {
      fault(node, path,
            fmt::format("bare {0} is a boolean or null in YAML; put the text in quotes: \"{0}\"", node.text));
      return;
    }
    std::string words = complaint(option, node.text);
    if (words.empty()) {
      return;
    }
    // An address may hold a password.
    const bool hidden = option.type == Type::secret || (option.type == Type::url && node.text.contains('@'));
    if (hidden) {
      fault(node, path, "the value " + words);
    } else if (node.written.empty()) {
      fault(node, path, fmt::format("\"{}\" {}", node.text, words));
    } else {
      // What a variable holds may be a secret in the wrong place.
      fault(node, path, fmt::format("what \"{}\" stands for {}", node.written, words));
    }
  }

  void fault(Node& node, const std::string& path, std::string words) {
    node.bad = true;
    report_.error(node.origin, path, std::move(words));
  }

  const Schema& schema_;
  Report& report_;
};

}  // namespace

bool is_yaml_trap(std::string_view word) {
  return word == "~" || word == "null" || (parse_boolean(word).has_value() && word != "1" && word != "0");
}

void check_shape(Node& root, const Schema& schema, const std::string& path, Report& report, ShapeOptions options) {
  if (root.kind == Kind::null) {
    return;
  }
  if (root.kind != Kind::map) {
    root.bad = true;
    report.error(root.origin, path,
                 "found no `name: value` lines; a config is a list of sections such as `listen: 127.0.0.1:8000`");
    return;
  }
  ShapeCheck(schema, report, options).check(root, schema.root(), path, root.origin, false);
}

void check_values(Node& root, const Schema& schema, Report& report) {
  ValueCheck(schema, report).check(root, schema.root(), "");
}

}  // namespace weir::settings
