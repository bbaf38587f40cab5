#pragma once

#include <span>
#include <string>
#include <vector>

#include "auth/key_table.hpp"
#include "store/api_keys.hpp"

namespace weir::auth {

/// The keys of a store, as a table takes them.
struct StoredKeys {
  std::vector<KeyTable::Entry> entries;
  /// There is or was one of those, also where it was revoked: whoever made it wants to be asked for keys.
  bool any_caller = false;
  bool any_admin = false;  // of the role admin or operator
  bool any_bootstrap = false;
  /// Rows that cannot be understood, and why. They open nothing.
  std::vector<std::string> unusable;
};

/// A key that was rotated stands there twice until its overlap is over.
void add_stored_keys(StoredKeys& keys, std::span<const store::ApiKey> rows);

}  // namespace weir::auth
