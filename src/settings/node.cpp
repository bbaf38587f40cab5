#include "settings/node.hpp"

#include <algorithm>
#include <utility>

namespace weir::settings {

namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> names;
  for (;;) {
    const std::size_t dot = path.find('.');
    names.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) {
      return names;
    }
    path.remove_prefix(dot + 1);
  }
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &found->value;
}

Node* Node::find(std::string_view key) {
  auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &found->value;
}

Node scalar(std::string text, Origin origin) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.origin = std::move(origin);
  node.text = std::move(text);
  node.quoted = true;
  node.expandable = false;
  return node;
}

const Node* find_path(const Node& root, std::string_view path) {
  const Node* node = &root;
  for (const std::string& name : split(path)) {
    node = node->find(name);
    if (node == nullptr) {
      return nullptr;
    }
  }
  return node;
}

Node* find_path(Node& root, std::string_view path) {
  return const_cast<Node*>(find_path(std::as_const(root), path));
}

void set_path(Node& root, const std::vector<std::string>& names, Node value) {
  Node* node = &root;
  for (const std::string& name : names) {
    if (node->kind != Node::Kind::map) {
      *node = Node{.kind = Node::Kind::map, .origin = value.origin};
    }
    if (node->find(name) == nullptr) {
      node->entries.push_back({.key = name, .quoted = true, .origin = value.origin, .value = {}});
    }
    node = node->find(name);
  }
  *node = std::move(value);
}

void set_path(Node& root, std::string_view path, Node value) {
  set_path(root, split(path), std::move(value));
}

Node take_path(Node& root, std::string_view path) {
  const std::size_t dot = path.rfind('.');
  Node* parent = dot == std::string_view::npos ? &root : find_path(root, path.substr(0, dot));
  const std::string_view name = dot == std::string_view::npos ? path : path.substr(dot + 1);
  if (parent == nullptr) {
    return {};
  }
  auto found = std::ranges::find(parent->entries, name, &Entry::key);
  if (found == parent->entries.end()) {
    return {};
  }
  Node taken = std::move(found->value);
  parent->entries.erase(found);
  return taken;
}

void merge(Node& base, const Node& over) {
  if (over.kind == Node::Kind::null) {
    return;
  }
  if (base.kind != Node::Kind::map || over.kind != Node::Kind::map) {
    base = over;
    return;
  }
  for (const Entry& entry : over.entries) {
    if (Node* existing = base.find(entry.key)) {
      merge(*existing, entry.value);
    } else {
      base.entries.push_back(entry);
    }
  }
}

}  // namespace weir::settings
