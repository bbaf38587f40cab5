#pragma once

#include <string>

namespace weir::gateway {

/// Who calls. Every call has one, with a tenant, also when it is anonymous.
struct Principal {
  std::string tenant = "default";
  std::string user;
  std::string key_label;  // empty: no key was presented
  bool anonymous = true;
};

}  // namespace weir::gateway
