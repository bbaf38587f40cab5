#pragma once

#include <string_view>

#include "auth/key.hpp"

namespace weir::auth {

/// Who calls. Every call has one, with a tenant, also when it is anonymous. The views are into `key`, which the call
/// keeps with the gate that let it in.
struct Principal {
  std::string_view tenant = "default";
  std::string_view user;
  std::string_view key_id;     // empty: no key
  std::string_view key_label;  // empty: no key
  Role role = Role::user;
  bool anonymous = true;
  const Key* key = nullptr;  // null: anonymous
};

}  // namespace weir::auth
