#pragma once

#include "settings/origin.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::settings {

struct Entry;

/// A value of the config as it was written, with its place. A plain tree without any knowledge of options.
///
/// Invariant: `text` belongs to scalars, `items` to lists, `entries` to maps; keys in one map differ.
struct Node {
  enum class Kind : std::uint8_t { null, scalar, list, map };

  Kind kind = Kind::null;
  Origin origin;
  std::string text;            // scalar: its text, expanded once expand() has seen it
  std::string written;         // scalar that expand() changed: the text before it; messages show only this
  bool quoted = false;         // scalar: in quotes, as a block (`|`, `>`), or from the environment
  bool expandable = true;      // scalar: $NAME still has to be replaced
  bool bad = false;            // an error was reported; nobody needs to complain again
  std::vector<Entry> entries;  // map: in file order
  std::vector<Node> items;     // list

  /// The child of that name, or null. The pointer lives until the map changes.
  [[nodiscard]] const Node* find(std::string_view key) const;
  [[nodiscard]] Node* find(std::string_view key);
  /// The text to show in a message: never what an expansion brought in, it may be a secret.
  [[nodiscard]] const std::string& shown() const { return written.empty() ? text : written; }
};

struct Entry {
  std::string key;
  bool quoted = false;
  Origin origin;
  Node value;
};

/// A scalar that did not come from a file: taken as it is, never expanded.
Node scalar(std::string text, Origin origin);

/// The node at a path of plain names ("timeouts.total"), or null.
const Node* find_path(const Node& root, std::string_view path);
Node* find_path(Node& root, std::string_view path);

/// Puts `value` at `path`, making the maps on the way and replacing what was there.
void set_path(Node& root, std::string_view path, Node value);
void set_path(Node& root, const std::vector<std::string>& names, Node value);

/// Takes the node at `path` out of the tree; a null node where there is none.
Node take_path(Node& root, std::string_view path);

/// Lays `over` onto `base`: maps are merged key by key, everything else is replaced.
void merge(Node& base, const Node& over);

}  // namespace weir::settings
