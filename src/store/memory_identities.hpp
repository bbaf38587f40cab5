#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "store/api_keys.hpp"
#include "store/audit_log.hpp"
#include "store/tenants.hpp"

/// Keys, tenants and who changed them, in memory. Each belongs to one thread at a time.
namespace weir::store {

/// How to take back what was changed since begin().
class Undo {
 public:
  void begin() { open_ = true; }
  void keep() {
    steps_.clear();
    open_ = false;
  }
  void take_back();
  void note(std::function<void()> step) {
    if (open_) {
      steps_.push_back(std::move(step));
    }
  }

 private:
  bool open_ = false;
  std::vector<std::function<void()>> steps_;
};

class MemoryApiKeys final : public ApiKeys {
 public:
  explicit MemoryApiKeys(Undo& undo) : undo_(undo) {}
  Result<bool> add(const ApiKey& key) override;
  Result<bool> update(const ApiKey& key) override;
  Result<std::optional<ApiKey>> find(std::string_view id) override;
  Result<std::optional<ApiKey>> find_by_hash(std::string_view hash) override;
  Result<std::vector<ApiKey>> list(const KeyQuery& query) override;
  Result<void> note_used(std::span<const KeyUse> uses) override;

 private:
  Undo& undo_;
  std::map<std::string, ApiKey, std::less<>> keys_;
};

class MemoryTenants final : public Tenants {
 public:
  explicit MemoryTenants(Undo& undo) : undo_(undo) {}
  Result<bool> add(const Tenant& tenant) override;
  Result<bool> update(const Tenant& tenant) override;
  Result<std::optional<Tenant>> find(std::string_view id) override;
  Result<std::vector<Tenant>> list(const TenantQuery& query) override;
  Result<bool> remove(std::string_view id) override;

 private:
  Undo& undo_;
  std::map<std::string, Tenant, std::less<>> tenants_;
};

class MemoryAuditLog final : public AuditLog {
 public:
  explicit MemoryAuditLog(Undo& undo) : undo_(undo) {}
  Result<void> add(const AuditEntry& entry) override;
  Result<std::vector<AuditEntry>> list(const AuditQuery& query) override;
  Result<std::int64_t> remove_oldest(const std::string& before, std::int64_t entries_max) override;

 private:
  Undo& undo_;
  std::int64_t last_id_ = 0;
  std::deque<AuditEntry> entries_;
};

}  // namespace weir::store
