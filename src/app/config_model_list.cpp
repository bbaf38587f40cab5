#include "app/config_model_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace weir::app {

namespace {

using settings::Entry;
using settings::Node;
using settings::Report;

/// A provider's name from a model's: what cannot stand in one becomes `-`.
std::string provider_name(std::string_view model) {
  std::string name(model.substr(0, 64));
  std::ranges::replace_if(
      name,
      [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) == 0 &&
               std::string_view("._-").find(c) == std::string_view::npos;
      },
      '-');
  return name;
}

Node list_of(Node item) {
  Node list{.kind = Node::Kind::list, .origin = item.origin};
  list.items.push_back(std::move(item));
  return list;
}

/// The text of a field that has to be there, or nothing after an error.
std::string required(const Node& item, std::string_view field, const std::string& path, Report& report) {
  const Node* node = item.find(field);
  if (node != nullptr && node->kind == Node::Kind::scalar && !node->text.empty()) {
    return node->text;
  }
  report.error(
      node == nullptr ? item.origin : node->origin, path,
      fmt::format("has no {}; write for example {{name: llama, base_url: \"http://127.0.0.1:8001/v1\"}}", field));
  return {};
}

bool is_taken(const Node& root, std::string_view section, const std::string& name, const Node& item,
              const std::string& path, Report& report) {
  const Node* names = root.find(section);
  const Node* found = names == nullptr ? nullptr : names->find(name);
  if (found == nullptr) {
    return false;
  }
  report.error(item.origin, path,
               fmt::format("there is a {} \"{}\" already, in {}", section == "models" ? "model" : "provider", name,
                           to_string(found->origin)));
  return true;
}

void add_item(Node& root, Node item, const std::string& path, Report& report) {
  if (item.bad) {
    return;
  }
  if (item.kind != Node::Kind::map) {
    report.error(item.origin, path, "is no section; write {name: llama, base_url: \"http://127.0.0.1:8001/v1\"}");
    return;
  }
  const std::string name = required(item, "name", path, report);
  const std::string address = required(item, "base_url", path, report);
  if (name.empty() || address.empty()) {
    return;
  }
  const std::string provider = provider_name(name);
  if (is_taken(root, "models", name, item, path, report) || is_taken(root, "providers", provider, item, path, report)) {
    return;
  }
  const Node* model = item.find("model");
  const bool other_name = model != nullptr && model->kind == Node::Kind::scalar;
  Node target = settings::scalar(fmt::format("{}/{}", provider, other_name ? model->text : name),
                                 other_name ? model->origin : item.origin);
  Node section{.kind = Node::Kind::map, .origin = item.origin};
  for (Entry& entry : item.entries) {
    if (entry.key == "name" || entry.key == "model") {
      continue;
    }
    if (entry.key == "api_key" && entry.value.kind == Node::Kind::scalar && item.find("keys") == nullptr) {
      entry.key = "keys";
      entry.value = list_of(std::move(entry.value));
    }
    section.entries.push_back(std::move(entry));
  }
  const auto by_default = [&](std::string_view option, std::string_view value) {
    if (section.find(option) == nullptr) {
      section.entries.push_back({.key = std::string(option),
                                 .origin = section.origin,
                                 .value = settings::scalar(std::string(value), section.origin)});
    }
  };
  by_default("dialect", "openai");
  by_default("keys", "none");
  settings::set_path(root, std::vector<std::string>{"providers", provider}, std::move(section));
  settings::set_path(root, std::vector<std::string>{"models", name}, std::move(target));
}

void add_items(Node& root, Node list, const std::string& path, Report& report) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    add_item(root, std::move(list.items[i]), settings::item_path(path, i), report);
  }
}

}  // namespace

void add_listed_models(Node& root, Report& report) {
  Node list;
  if (root.kind == Node::Kind::list && !root.bad) {
    list = std::exchange(root, Node{.kind = Node::Kind::map, .origin = root.origin});
  } else if (const Node* models = root.find("models"); models != nullptr && models->kind == Node::Kind::list) {
    list = settings::take_path(root, "models");
  }
  add_items(root, std::move(list), "models", report);
}

void add_models_file(Node& root, Node file, Report& report) {
  if (root.kind == Node::Kind::null) {
    root = Node{.kind = Node::Kind::map, .origin = file.origin};
  }
  add_listed_models(root, report);  // first, so that a name in both is found
  if (root.kind != Node::Kind::map || file.bad) {
    return;
  }
  if (file.kind == Node::Kind::map && file.find("models") != nullptr) {
    file = settings::take_path(file, "models");
  }
  if (file.kind == Node::Kind::list) {
    add_items(root, std::move(file), "models", report);
    return;
  }
  for (Entry& entry : file.entries) {
    if (!is_taken(root, "models", entry.key, entry.value, "models." + entry.key, report)) {
      settings::set_path(root, std::vector<std::string>{"models", entry.key}, std::move(entry.value));
    }
  }
}

}  // namespace weir::app
