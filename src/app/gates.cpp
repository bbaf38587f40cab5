#include "app/gates.hpp"

#include <algorithm>

#include "app/demo_keys.hpp"

namespace weir::app {

Gates::Gates(const AuthConfig& auth, bool loopback_only) : loopback_only_(loopback_only) {
  use(auth);
}

Result<void> Gates::check(const AuthConfig& auth) const {
  if (!loopback_only_ && auth.mode == AuthMode::none) {
    return fail(Code::invalid_request,
                "auth.mode: none is for loopback alone, and weir listens beyond it until a restart");
  }
  if (!loopback_only_ && find_demo_key(auth) != nullptr) {
    return fail(Code::invalid_request,
                "auth.keys: a demo key is for loopback alone, and weir listens beyond it until a restart");
  }
  return {};
}

void Gates::use(const AuthConfig& auth) {
  std::vector<auth::KeyTable::Entry> entries;
  for (const CallerKey& key : auth.keys) {
    entries.push_back({.hash = (*hasher_)(key.value.reveal()), .key = key.key});
    had_admin_key_ = had_admin_key_ || key.key.role != auth::Role::user;
  }
  had_caller_key_ = had_caller_key_ || !auth.keys.empty();
  if (!auth.admin_key.empty()) {
    auth::Key admin;
    admin.id = "config:admin_key";
    admin.label = "admin key";
    admin.role = auth::Role::bootstrap;
    entries.push_back({.hash = (*hasher_)(auth.admin_key.reveal()), .key = std::move(admin)});
    had_admin_key_ = true;
  }
  keys_ = std::make_shared<const auth::KeyTable>(std::move(entries));
  options_ = {.mode = auth.mode, .open = loopback_only_ && !had_caller_key_, .admin_key_needed = had_admin_key_};
}

std::shared_ptr<const auth::Gate> Gates::for_core() const {
  const bool anybody = options_.open || options_.mode == AuthMode::none;
  return anybody && !options_.admin_key_needed ? nullptr : std::make_shared<const auth::Gate>(options_, hasher_, keys_);
}

}  // namespace weir::app
