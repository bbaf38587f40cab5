#include "app/identity_store.hpp"

#include <algorithm>
#include <limits>

#include "admin/configured_keys.hpp"
#include "auth/key_text.hpp"
#include "platform/signal.hpp"

namespace weir::app {

namespace {

constexpr std::size_t prefix_bytes = 8;  // "wr-" and 5 of 43: enough to tell keys apart, of no use to anybody

}  // namespace

Result<std::shared_ptr<const IdentityRows>> read_identities(store::Store& store) {
  IdentityRows rows;
  store::KeyQuery query;
  query.revoked = true;  // weir does not open to everybody where the last key was revoked
  query.limit = 256;     // rows are much larger than what is kept of them
  while (true) {
    const auto page = store.keys().list(query);
    if (!page) {
      return std::unexpected(page.error());
    }
    auth::add_stored_keys(rows.keys, *page);
    if (page->size() < static_cast<std::size_t>(query.limit)) {
      break;
    }
    query.after = page->back().id;
  }
  auto tenants = store.tenants().list({.parent = "", .after = "", .limit = std::numeric_limits<int>::max()});
  if (!tenants) {
    return std::unexpected(std::move(tenants.error()));
  }
  rows.tenants = std::move(*tenants);
  return std::make_shared<const IdentityRows>(std::move(rows));
}

IdentityStore::IdentityStore(store::Worker* lasting, const Gates& gates, const AllowanceTable& allowances,
                             Publish publish)
    : lasting_(lasting), gates_(gates), allowances_(allowances), hasher_(gates.hasher()), publish_(std::move(publish)) {
  if (lasting_ == nullptr) {
    own_ = std::make_unique<store::Worker>(
        []() -> Result<std::unique_ptr<store::Store>> { return store::make_memory_store(); },
        [](store::Store&) -> Result<bool> { return false; }, [](const Error*) {},
        store::Worker::Options{.pause = std::chrono::milliseconds(0)});
  }
}

void IdentityStore::start() {
  if (own_ != nullptr) {
    own_->start();
  }
}

std::vector<store::ApiKey> IdentityStore::configured() const {
  std::vector<store::ApiKey> rows;
  for (const auto& key : *gates_.configured()) {
    rows.push_back(admin::row_of_configured(*key));
  }
  std::ranges::sort(rows, std::greater<>(), &store::ApiKey::id);
  return rows;
}

admin::ConfiguredTenants IdentityStore::configured_tenants() const {
  admin::ConfiguredTenants tenants;
  for (const auto& [name, tenant] : allowances_.configured()->tenants) {
    tenants.emplace(name, tenant.parent);
  }
  return tenants;
}

Result<admin::Identities::NewKey> IdentityStore::make_key() {
  NewKey made{.text = auth::make_key_text(), .mark = {}};
  const auth::KeyHash hash = (*hasher_)(made.text.reveal());
  made.mark.hash.assign(hash.begin(), hash.end());
  made.mark.prefix = made.text.reveal().substr(0, prefix_bytes);
  return made;
}

Task<Result<void>> IdentityStore::settle(platform::Loop& loop, platform::Until until) {
  using Rows = std::shared_ptr<const IdentityRows>;
  const auto rows = co_await store::ask<Rows>(worker(), loop, read_identities, until);
  if (!rows) {
    co_return std::unexpected(rows.error());
  }
  const auto done = std::make_shared<platform::Signal>(loop);
  publish_(*rows, [done, &loop] { loop.post([done] { done->notify(); }); });
  if (co_await done->wait(until) != platform::Wake::notified) {
    co_return fail(Code::overloaded, "Some threads are busy; the change reaches them in a moment.");
  }
  co_return Result<void>();
}

}  // namespace weir::app
