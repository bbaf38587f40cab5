#pragma once

#include "store/api_keys.hpp"
#include "store/audit_log.hpp"
#include "store/sqlite_database.hpp"
#include "store/tenants.hpp"

/// Keys, tenants and who changed them, in SQLite. The statements stand in sql/sqlite/. Each belongs to the database's
/// thread, and the database outlives it.
namespace weir::store {

class SqliteApiKeys final : public ApiKeys {
 public:
  explicit SqliteApiKeys(SqliteDatabase& database) : database_(database) {}
  Result<bool> add(const ApiKey& key) override;
  Result<bool> update(const ApiKey& key) override;
  Result<std::optional<ApiKey>> find(std::string_view id) override;
  Result<std::optional<ApiKey>> find_by_hash(std::string_view hash) override;
  Result<std::vector<ApiKey>> list(const KeyQuery& query) override;
  Result<void> note_used(std::span<const KeyUse> uses) override;

 private:
  SqliteDatabase& database_;
};

class SqliteTenants final : public Tenants {
 public:
  explicit SqliteTenants(SqliteDatabase& database) : database_(database) {}
  Result<bool> add(const Tenant& tenant) override;
  Result<bool> update(const Tenant& tenant) override;
  Result<std::optional<Tenant>> find(std::string_view id) override;
  Result<std::vector<Tenant>> list(const TenantQuery& query) override;
  Result<bool> remove(std::string_view id) override;

 private:
  SqliteDatabase& database_;
};

class SqliteAuditLog final : public AuditLog {
 public:
  explicit SqliteAuditLog(SqliteDatabase& database) : database_(database) {}
  Result<void> add(const AuditEntry& entry) override;
  Result<std::vector<AuditEntry>> list(const AuditQuery& query) override;
  Result<std::int64_t> remove_oldest(const std::string& before, std::int64_t entries_max) override;

 private:
  SqliteDatabase& database_;
};

}  // namespace weir::store
