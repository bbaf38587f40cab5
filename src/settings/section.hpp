#pragma once

#include "settings/node.hpp"
#include "settings/schema.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::settings {

/// A section of a checked tree, read with the types and defaults of its schema.
///
/// What is absent or was found to be bad gives the option's default, so that reading can go on and find further errors.
/// A cheap view: tree and schema must outlive it.
class Section {
 public:
  Section(const Node& root, const Schema& schema) : node_(&root), schema_(&schema) {}

  /// The section below; it may be absent in the tree. `named` is for the user's own names (a provider).
  [[nodiscard]] Section at(std::string_view name) const;
  [[nodiscard]] Section named(const std::string& name) const;
  [[nodiscard]] Section item(std::size_t index) const;

  /// The node of this section, or null.
  [[nodiscard]] const Node* node() const { return node_; }
  /// The node of one option, or null where it is absent or bad.
  [[nodiscard]] const Node* node(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return node(name) != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Where the option, or else this section, stands.
  [[nodiscard]] Origin origin(std::string_view name = {}) const;

  // The name must be an option of that type (WEIR_ASSERT).
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  [[nodiscard]] int integer(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name) const;
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view name) const;
  [[nodiscard]] std::size_t bytes(std::string_view name) const;
  /// The good items of a list of texts; one where a single value stands; those of the default where there is none.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  [[nodiscard]] std::vector<int> integers(std::string_view name) const;

 private:
  Section(const Node* node, const Schema* schema, std::string path, std::string pattern)
      : node_(node), schema_(schema), path_(std::move(path)), pattern_(std::move(pattern)) {}
  [[nodiscard]] const Option& option(std::string_view name) const;

  const Node* node_;
  const Schema* schema_;
  std::string path_;
  std::string pattern_;
};

}  // namespace weir::settings
