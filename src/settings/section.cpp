#include "settings/section.hpp"

#include "base/assert.hpp"
#include "settings/report.hpp"
#include "settings/units.hpp"

#include <optional>

namespace weir::settings {

namespace {

bool usable(const Node* node) {
  return node != nullptr && !node->bad && node->kind != Node::Kind::null;
}

}  // namespace

Section Section::at(std::string_view name) const {
  const Node* child = node_ == nullptr ? nullptr : node_->find(name);
  return {usable(child) ? child : nullptr, schema_, join_path(path_, name), join_path(pattern_, name)};
}

Section Section::named(const std::string& name) const {
  const Node* child = node_ == nullptr ? nullptr : node_->find(name);
  return {usable(child) ? child : nullptr, schema_, join_path(path_, name), join_path(pattern_, "*")};
}

Section Section::item(std::size_t index) const {
  const bool there = node_ != nullptr && index < node_->items.size();
  const Node* child = there ? &node_->items[index] : nullptr;
  return {usable(child) ? child : nullptr, schema_, item_path(path_, index), pattern_ + "[]"};
}

const Node* Section::node(std::string_view name) const {
  const Node* child = node_ == nullptr ? nullptr : node_->find(name);
  return usable(child) ? child : nullptr;
}

Origin Section::origin(std::string_view name) const {
  const Node* child = name.empty() ? nullptr : node(name);
  if (child != nullptr) {
    return child->origin;
  }
  return node_ == nullptr ? Origin{} : node_->origin;
}

const Option& Section::option(std::string_view name) const {
  const Option* option = schema_->find(join_path(pattern_, name));
  WEIR_ASSERT(option != nullptr, "read an option that the schema does not describe");
  return *option;
}

std::string Section::text(std::string_view name) const {
  const Option& described = option(name);
  const Node* value = node(name);
  return value != nullptr && value->kind == Node::Kind::scalar ? value->text : described.fallback;
}

bool Section::boolean(std::string_view name) const {
  return parse_boolean(text(name)).value_or(false);
}

int Section::integer(std::string_view name) const {
  return static_cast<int>(parse_integer(text(name)).value_or(0));
}

double Section::number(std::string_view name) const {
  return parse_number(text(name)).value_or(0);
}

std::chrono::milliseconds Section::duration(std::string_view name) const {
  return parse_duration(text(name)).value_or(std::chrono::milliseconds(0));
}

std::size_t Section::bytes(std::string_view name) const {
  return parse_bytes(text(name)).value_or(0);
}

std::vector<std::string> Section::texts(std::string_view name) const {
  const Option& described = option(name);
  std::vector<std::string> texts;
  const Node* value = node(name);
  if (value == nullptr) {
    std::string_view rest = described.fallback;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(", ");
      texts.emplace_back(rest.substr(0, comma));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 2);
    }
  } else if (value->kind == Node::Kind::scalar) {
    texts.push_back(value->text);
  } else {
    for (const Node& item : value->items) {
      if (item.kind == Node::Kind::scalar && !item.bad) {
        texts.push_back(item.text);
      }
    }
  }
  return texts;
}

std::vector<int> Section::integers(std::string_view name) const {
  std::vector<int> numbers;
  for (const std::string& text : texts(name)) {
    numbers.push_back(static_cast<int>(parse_integer(text).value_or(0)));
  }
  return numbers;
}

}  // namespace weir::settings
