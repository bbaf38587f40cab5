#include "store/memory_identities.hpp"

#include <algorithm>
#include <ranges>

namespace weir::store {

namespace {

constexpr std::size_t audit_entries_max = 10'000;  // memory is bounded; a database keeps all

/// True where nothing is asked, or what is there is it.
bool is_as(const std::string& asked, const std::string& there) {
  return asked.empty() || asked == there;
}

bool matches(const KeyQuery& query, const ApiKey& key) {
  return is_as(query.tenant, key.tenant) && is_as(query.user, key.user) && is_as(query.label, key.label) &&
         is_as(query.role, key.role) && (!query.active || *query.active == key.active) &&
         (query.revoked || key.revoked_at.empty());
}

bool matches(const AuditQuery& query, const AuditEntry& entry) {
  return is_as(query.actor, entry.actor) && is_as(query.action, entry.action) && is_as(query.object, entry.object) &&
         is_as(query.object_id, entry.object_id) && (query.after == 0 || entry.id < query.after) &&
         (query.from.empty() || entry.time >= query.from) && (query.to.empty() || entry.time < query.to);
}

bool is_full(std::size_t rows, int limit) {
  return rows >= static_cast<std::size_t>(limit);
}

}  // namespace

void Undo::take_back() {
  open_ = false;
  for (const auto& step : std::views::reverse(steps_)) {
    step();
  }
  steps_.clear();
}

Result<bool> MemoryApiKeys::add(const ApiKey& key) {
  const auto same = [&](const auto& entry) {
    const ApiKey& other = entry.second;
    return other.hash == key.hash || (!key.previous_hash.empty() && other.previous_hash == key.previous_hash);
  };
  if (std::ranges::any_of(keys_, same) || !keys_.emplace(key.id, key).second) {
    return false;
  }
  undo_.note([this, id = key.id] { keys_.erase(id); });
  return true;
}

Result<bool> MemoryApiKeys::update(const ApiKey& key) {
  const auto found = keys_.find(key.id);
  if (found == keys_.end()) {
    return false;
  }
  undo_.note([this, before = found->second] { keys_[before.id] = before; });
  found->second = key;
  return true;
}

Result<std::optional<ApiKey>> MemoryApiKeys::find(std::string_view id) {
  const auto found = keys_.find(id);
  return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::optional<ApiKey>> MemoryApiKeys::find_by_hash(std::string_view hash) {
  for (const auto member : {&ApiKey::hash, &ApiKey::previous_hash}) {
    const auto found =
        std::ranges::find_if(keys_, [&](const auto& entry) { return !hash.empty() && entry.second.*member == hash; });
    if (found != keys_.end()) {
      return found->second;
    }
  }
  return std::nullopt;
}

Result<std::vector<ApiKey>> MemoryApiKeys::list(const KeyQuery& query) {
  std::vector<ApiKey> found;
  auto at = query.after.empty() ? keys_.end() : keys_.lower_bound(query.after);
  while (at != keys_.begin() && !is_full(found.size(), query.limit)) {
    --at;
    if (matches(query, at->second)) {
      found.push_back(at->second);
    }
  }
  return found;
}

Result<void> MemoryApiKeys::note_used(std::span<const KeyUse> uses) {
  for (const KeyUse& use : uses) {
    if (const auto found = keys_.find(use.id); found != keys_.end() && found->second.last_used_at < use.time) {
      found->second.last_used_at = use.time;
    }
  }
  return {};
}

Result<bool> MemoryTenants::add(const Tenant& tenant) {
  if (!tenants_.emplace(tenant.id, tenant).second) {
    return false;
  }
  undo_.note([this, id = tenant.id] { tenants_.erase(id); });
  return true;
}

Result<bool> MemoryTenants::update(const Tenant& tenant) {
  const auto found = tenants_.find(tenant.id);
  if (found == tenants_.end()) {
    return false;
  }
  undo_.note([this, before = found->second] { tenants_[before.id] = before; });
  found->second = tenant;
  return true;
}

Result<std::optional<Tenant>> MemoryTenants::find(std::string_view id) {
  const auto found = tenants_.find(id);
  return found == tenants_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<Tenant>> MemoryTenants::list(const TenantQuery& query) {
  std::vector<Tenant> found;
  for (auto at = tenants_.upper_bound(query.after); at != tenants_.end() && !is_full(found.size(), query.limit); ++at) {
    if (is_as(query.parent, at->second.parent)) {
      found.push_back(at->second);
    }
  }
  return found;
}

Result<bool> MemoryTenants::remove(std::string_view id) {
  const auto found = tenants_.find(id);
  if (found == tenants_.end()) {
    return false;
  }
  undo_.note([this, before = found->second] { tenants_[before.id] = before; });
  tenants_.erase(found);
  return true;
}

Result<void> MemoryAuditLog::add(const AuditEntry& entry) {
  entries_.push_back(entry);
  entries_.back().id = ++last_id_;
  undo_.note([this] { entries_.pop_back(); });
  if (entries_.size() > audit_entries_max) {
    entries_.pop_front();
  }
  return {};
}

Result<std::vector<AuditEntry>> MemoryAuditLog::list(const AuditQuery& query) {
  std::vector<AuditEntry> found;
  for (auto at = entries_.rbegin(); at != entries_.rend() && !is_full(found.size(), query.limit); ++at) {
    if (matches(query, *at)) {
      found.push_back(*at);
    }
  }
  return found;
}

Result<std::int64_t> MemoryAuditLog::remove_oldest(const std::string& before, std::int64_t entries_max) {
  std::int64_t removed = 0;
  while (removed < entries_max && !entries_.empty() && entries_.front().time < before) {
    entries_.pop_front();
    ++removed;
  }
  return removed;
}

}  // namespace weir::store
