#include "app/gates.hpp"

#include <algorithm>
#include <utility>

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
  const std::lock_guard lock(mutex_);
  std::vector<auth::KeyTable::Entry> entries;
  for (const CallerKey& key : auth.keys) {
    entries.push_back({.hash = (*hasher_)(key.value.reveal()), .key = std::make_shared<const auth::Key>(key.key)});
    had_admin_key_ = had_admin_key_ || key.key.role != auth::Role::user;
  }
  had_caller_key_ = had_caller_key_ || !auth.keys.empty();
  admin_key_configured_ = !auth.admin_key.empty();
  if (admin_key_configured_) {
    auth::Key admin;
    admin.id = "config:admin_key";
    admin.label = "admin key";
    admin.role = auth::Role::bootstrap;
    entries.push_back(
        {.hash = (*hasher_)(auth.admin_key.reveal()), .key = std::make_shared<const auth::Key>(std::move(admin))});
    had_admin_key_ = true;
  }
  mode_ = auth.mode;
  Keys keys;
  for (const auth::KeyTable::Entry& entry : entries) {
    keys.push_back(entry.key);
  }
  configured_keys_ = std::make_shared<const Keys>(std::move(keys));
  configured_ = std::move(entries);
  make_table();
}

void Gates::expect_store(const AuthConfig& auth, std::shared_ptr<const auth::KeyHasher> hasher,
                         auth::KeyTable::StoreAnswers answers) {
  {
    const std::lock_guard lock(mutex_);
    hasher_ = std::move(hasher);
    store_answers_ = std::move(answers);
    store_unread_ = true;
  }
  use(auth);
}

auth::StoredKeys Gates::use_stored(auth::StoredKeys keys) {
  const std::lock_guard lock(mutex_);
  auth::StoredKeys before = std::exchange(stored_, std::move(keys));
  store_unread_ = false;
  had_caller_key_ = had_caller_key_ || stored_.any_caller;
  // On loopback the key that weir made itself is for later: programs of this machine are let in without.
  had_admin_key_ = had_admin_key_ || stored_.any_admin || (stored_.any_bootstrap && !loopback_only_);
  make_table();
  return before;
}

void Gates::make_table() {
  std::vector<auth::KeyTable::Entry> entries = configured_;
  entries.reserve(configured_.size() + stored_.entries.size());
  for (const auth::KeyTable::Entry& entry : stored_.entries) {
    // The key of the environment stands in the place of the one that weir made.
    if (!admin_key_configured_ || entry.key->role != auth::Role::bootstrap) {
      entries.push_back(entry);
    }
  }
  keys_switched_off_ = 0;
  keys_end_at_.clear();
  keys_end_at_.reserve(entries.size());
  for (const auth::KeyTable::Entry& entry : entries) {
    if (entry.until != platform::WallTime::max()) {
      continue;  // what a key was before its rotation
    }
    if (entry.key->active) {
      keys_end_at_.push_back(entry.key->expires_at.value_or(platform::WallTime::max()));
    } else {
      ++keys_switched_off_;
    }
  }
  std::ranges::sort(keys_end_at_);
  auth::KeyTable::StoreAnswers answers = store_answers_;
  if (store_unread_) {
    answers = [] { return false; };
  }
  keys_ = std::make_shared<const auth::KeyTable>(std::move(entries), std::move(answers));
  const bool callers_unknown = store_unread_ && !had_caller_key_;
  const bool admins_unknown = store_unread_ && !had_admin_key_;
  options_ = {.mode = mode_,
              .open = loopback_only_ && !had_caller_key_ && !callers_unknown,
              .admin_key_needed = had_admin_key_ || admins_unknown,
              .caller_keys_unknown = callers_unknown && loopback_only_,
              .admin_keys_unknown = admins_unknown};
}

std::shared_ptr<const auth::KeyHasher> Gates::hasher() const {
  const std::lock_guard lock(mutex_);
  return hasher_;
}

std::shared_ptr<const Gates::Keys> Gates::configured() const {
  const std::lock_guard lock(mutex_);
  return configured_keys_;
}

std::size_t Gates::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_->size();
}

Gates::KeyCounts Gates::count(platform::WallTime now) const {
  const std::lock_guard lock(mutex_);
  const auto good = std::ranges::upper_bound(keys_end_at_, now);
  return {.active = static_cast<std::size_t>(keys_end_at_.end() - good),
          .inactive = keys_switched_off_,
          .expired = static_cast<std::size_t>(good - keys_end_at_.begin())};
}

std::shared_ptr<const auth::Gate> Gates::for_core() const {
  std::unique_lock lock(mutex_);
  const auth::Gate::Options options = options_;
  const auto hasher = hasher_;
  const auto keys = keys_;
  lock.unlock();
  const bool anybody = options.open || options.mode == AuthMode::none;
  return anybody && !options.admin_key_needed ? nullptr : std::make_shared<const auth::Gate>(options, hasher, keys);
}

}  // namespace weir::app
