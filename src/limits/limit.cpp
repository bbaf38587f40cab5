#include "limits/limit.hpp"

#include <chrono>

namespace weir::limits {

std::string_view to_string(Unit unit) {
  return unit == Unit::requests ? "requests" : "tokens";
}

std::string to_text(const WindowLimit& limit) {
  using std::chrono::milliseconds;
  const std::int64_t length = std::chrono::ceil<milliseconds>(limit.window).count();
  std::string text = std::to_string(limit.amount) + " " + std::string(to_string(limit.unit)) + " per ";
  return text + (length % 1000 == 0 ? std::to_string(length / 1000) + " s" : std::to_string(length) + " ms");
}

std::string_view to_string(ScopeKind kind) {
  switch (kind) {
    case ScopeKind::global: return "global";
    case ScopeKind::tenant: return "tenant";
    case ScopeKind::user: return "user";
    case ScopeKind::key: return "key";
    case ScopeKind::role: return "role";
    case ScopeKind::model: return "model";
    case ScopeKind::address: return "address";
  }
  return "global";
}

std::string_view to_words(ScopeKind kind) {
  switch (kind) {
    case ScopeKind::global: return "all callers together";
    case ScopeKind::tenant: return "this tenant";
    case ScopeKind::user: return "this user";
    case ScopeKind::key: return "this key";
    case ScopeKind::role: return "each key of this role";
    case ScopeKind::model: return "this model";
    case ScopeKind::address: return "this address";
  }
  return "this caller";
}

}  // namespace weir::limits
