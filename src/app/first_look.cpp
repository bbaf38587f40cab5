#include "app/first_look.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "admin/identity_changes.hpp"
#include "app/identity_store.hpp"
#include "app/node.hpp"
#include "auth/key_text.hpp"
#include "base/ids.hpp"
#include "platform/random.hpp"

namespace weir::app {

FirstLook::FirstLook(Node& node, platform::Files& files, observe::Log& log, const platform::Clock& clock,
                     Options options)
    : node_(node), files_(files), log_(log), clock_(clock), options_(std::move(options)) {}

Result<void> FirstLook::take(store::Store& store) {
  auto rows = read_identities(store);
  if (!rows) {
    return std::unexpected(std::move(rows.error()));
  }
  const std::vector<auth::KeyTable::Entry>& keys = (*rows)->keys.entries;
  if (options_.master_key_made_now && !keys.empty()) {
    // Their hashes were made under a key that is lost: what callers send cannot be judged, which is no "no".
    log_.message(observe::Level::error, "auth",
                 fmt::format("{} was not there, so the {} keys of the store cannot be checked: whoever sends one gets "
                             "503. Put the file back from a backup and start again; or make new keys and remove the "
                             "old rows",
                             options_.master_key_file, keys.size()));
    static_cast<void>(files_.remove(options_.master_key_file));  // the next start says so too
    note_done();
    return {};
  }
  if (options_.needs_keys && keys.empty()) {
    const std::lock_guard lock(mutex_);
    misses_keys_ = true;
  } else if (auto seen = let_callers_in(store, std::move(*rows)); !seen) {
    return seen;
  }
  note_done();
  return {};
}

Result<void> FirstLook::let_callers_in(store::Store& store, std::shared_ptr<const IdentityRows> rows) {
  const auto enters_admin = [](const auth::KeyTable::Entry& entry) {
    return entry.key->role == auth::Role::bootstrap || entry.key->role == auth::Role::admin;
  };
  if (!options_.admin_key_configured && std::ranges::none_of(rows->keys.entries, enters_admin)) {
    if (auto made = make_bootstrap_key(store); !made) {
      return made;
    }
    auto with_it = read_identities(store);
    if (!with_it) {
      return std::unexpected(std::move(with_it.error()));
    }
    rows = std::move(*with_it);
  }
  node_.judge_by(std::move(rows), [] { /* nobody waits */ });
  return {};
}

Result<void> FirstLook::make_bootstrap_key(store::Store& store) {
  const Secret text = auth::make_key_text();
  const auth::KeyHash hash = (*node_.gates().hasher())(text.reveal());
  const auto now = std::chrono::floor<std::chrono::milliseconds>(clock_.wall_now()).time_since_epoch();
  store::ApiKey key;
  key.id = "key_" + make_request_id(static_cast<std::uint64_t>(now.count()), platform::entropy(), platform::entropy())
                        .substr(std::string_view("req_").size());
  key.hash.assign(hash.begin(), hash.end());
  key.prefix = text.reveal().substr(0, 8);
  key.label = "bootstrap";
  key.role = "bootstrap";
  key.tenant = "default";
  const admin::Actor actor{
      .label = "weir", .key_id = {}, .role = {}, .address = {}, .request_id = {}, .now = clock_.wall_now()};
  if (const auto created = admin::create_key(store, actor, std::move(key)); !created) {
    return std::unexpected(created.error());
  }
  fmt::print(
      "The key that opens /admin, shown this once:\n\n  export WEIR_ADMIN_KEY={}\n\n"
      "`weir keys create` makes keys for callers.\n",
      text.reveal());
  std::fflush(stdout);
  return {};
}

void FirstLook::note_done() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
}

bool FirstLook::misses_keys() const {
  const std::lock_guard lock(mutex_);
  return misses_keys_;
}

bool FirstLook::wait(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return done_; });
}

}  // namespace weir::app
