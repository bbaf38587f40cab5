#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::store {

/// Who shares limits, budgets and a bill: a tree. Times and JSON texts as in ApiKey.
struct Tenant {
  std::string id;
  std::string parent;  // empty: none
  std::string name;
  std::string limits = "{}";
  std::string budgets = "[]";
  std::string quotas = "[]";
  std::string metadata = "{}";
  std::string created_at;
  std::string updated_at;
  friend bool operator==(const Tenant&, const Tenant&) = default;
};

struct TenantQuery {
  std::string parent;  // its children alone; empty: all
  std::string after;   // ids behind this one
  int limit = 100;
};

/// The tenants. That a parent is there, or in the configuration, that the tree has no circle and that nobody needs a
/// tenant which is removed is for those who change it to see to, inside Store::atomically().
class Tenants {
 public:
  virtual ~Tenants() = default;
  /// False, and nothing changed: the id is taken.
  virtual Result<bool> add(const Tenant& tenant) = 0;
  /// The whole row of that id. False: there is none.
  virtual Result<bool> update(const Tenant& tenant) = 0;
  virtual Result<std::optional<Tenant>> find(std::string_view id) = 0;
  /// By id. A page that is not full is the last.
  virtual Result<std::vector<Tenant>> list(const TenantQuery& query) = 0;
  /// False: there is none.
  virtual Result<bool> remove(std::string_view id) = 0;
};

}  // namespace weir::store
