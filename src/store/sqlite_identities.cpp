#include "store/sqlite_identities.hpp"

#include <limits>

namespace weir::store {

namespace {

/// How many rows the statement changed, after `bind` gave it its parameters.
template <class Bind>
Result<std::int64_t> change(SqliteDatabase& database, std::string_view name, const Bind& bind) {
  const auto statement = database.statement(name);
  if (!statement) {
    return std::unexpected(statement.error());
  }
  bind(**statement);
  if (auto done = (*statement)->run(); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return database.changes();
}

template <class Bind, class Read>
auto rows(SqliteDatabase& database, std::string_view name, const Bind& bind, const Read& read)
    -> Result<std::vector<decltype(read(std::declval<const SqliteStatement&>()))>> {
  const auto statement = database.statement(name);
  if (!statement) {
    return std::unexpected(statement.error());
  }
  bind(**statement);
  std::vector<decltype(read(std::declval<const SqliteStatement&>()))> found;
  while (true) {
    const auto row = (*statement)->step();
    if (!row) {
      return std::unexpected(row.error());
    }
    if (!*row) {
      return found;
    }
    found.push_back(read(**statement));
  }
}

template <class Row>
Result<std::optional<Row>> first_of(Result<std::vector<Row>> rows) {
  if (!rows) {
    return std::unexpected(std::move(rows.error()));
  }
  return rows->empty() ? std::nullopt : std::optional(std::move(rows->front()));
}

Result<bool> any(const Result<std::int64_t>& changes) {
  return changes ? Result<bool>(*changes > 0) : std::unexpected(changes.error());
}

void bind_key(SqliteStatement& statement, const ApiKey& key) {
  statement.bind(1, key.id);
  statement.bind_bytes_or_null(2, key.hash);
  statement.bind_bytes_or_null(3, key.previous_hash);
  statement.bind_or_null(4, key.previous_expires_at);
  statement.bind(5, key.prefix);
  statement.bind(6, key.label);
  statement.bind(7, key.role);
  statement.bind(8, key.tenant);
  statement.bind_or_null(9, key.user);
  statement.bind(10, key.active);
  statement.bind(11, key.models);
  statement.bind(12, key.endpoints);
  statement.bind(13, key.ip_allow);
  statement.bind(14, key.limits);
  statement.bind(15, key.budgets);
  statement.bind(16, key.quotas);
  statement.bind(17, key.metadata);
  statement.bind_or_null(18, key.expires_at);
  statement.bind(19, key.created_at);
  statement.bind(20, key.updated_at);
  statement.bind_or_null(21, key.last_used_at);
  statement.bind_or_null(22, key.revoked_at);
  statement.bind_or_null(23, key.expires_at_written);
}

ApiKey read_key(const SqliteStatement& row) {
  return {.id = row.text(0),
          .hash = row.bytes(1),
          .previous_hash = row.bytes(2),
          .previous_expires_at = row.text(3),
          .prefix = row.text(4),
          .label = row.text(5),
          .role = row.text(6),
          .tenant = row.text(7),
          .user = row.text(8),
          .active = row.integer(9) != 0,
          .models = row.text(10),
          .endpoints = row.text(11),
          .ip_allow = row.text(12),
          .limits = row.text(13),
          .budgets = row.text(14),
          .quotas = row.text(15),
          .metadata = row.text(16),
          .expires_at = row.text(17),
          .expires_at_written = row.text(22),
          .created_at = row.text(18),
          .updated_at = row.text(19),
          .last_used_at = row.text(20),
          .revoked_at = row.text(21)};
}

void bind_tenant(SqliteStatement& statement, const Tenant& tenant) {
  statement.bind(1, tenant.id);
  statement.bind_or_null(2, tenant.parent);
  statement.bind(3, tenant.name);
  statement.bind(4, tenant.limits);
  statement.bind(5, tenant.budgets);
  statement.bind(6, tenant.quotas);
  statement.bind(7, tenant.metadata);
  statement.bind(8, tenant.created_at);
  statement.bind(9, tenant.updated_at);
}

Tenant read_tenant(const SqliteStatement& row) {
  return {.id = row.text(0),
          .parent = row.text(1),
          .name = row.text(2),
          .limits = row.text(3),
          .budgets = row.text(4),
          .quotas = row.text(5),
          .metadata = row.text(6),
          .created_at = row.text(7),
          .updated_at = row.text(8)};
}

AuditEntry read_audit(const SqliteStatement& row) {
  return {.id = row.integer(0),
          .time = row.text(1),
          .actor = row.text(2),
          .actor_key_id = row.text(3),
          .actor_role = row.text(4),
          .address = row.text(5),
          .request_id = row.text(6),
          .action = row.text(7),
          .object = row.text(8),
          .object_id = row.text(9),
          .before = row.text(10),
          .after = row.text(11)};
}

}  // namespace

Result<bool> SqliteApiKeys::add(const ApiKey& key) {
  return any(change(database_, "add_key", [&](SqliteStatement& statement) { bind_key(statement, key); }));
}

Result<bool> SqliteApiKeys::update(const ApiKey& key) {
  return any(change(database_, "update_key", [&](SqliteStatement& statement) { bind_key(statement, key); }));
}

Result<std::optional<ApiKey>> SqliteApiKeys::find(std::string_view id) {
  return first_of(rows(database_, "find_key", [&](SqliteStatement& statement) { statement.bind(1, id); }, read_key));
}

Result<std::optional<ApiKey>> SqliteApiKeys::find_by_hash(std::string_view hash) {
  return first_of(rows(
      database_, "find_key_by_hash", [&](SqliteStatement& statement) { statement.bind_bytes_or_null(1, hash); },
      read_key));
}

Result<std::vector<ApiKey>> SqliteApiKeys::list(const KeyQuery& query) {
  return rows(
      database_, "list_keys",
      [&](SqliteStatement& statement) {
        statement.bind_or_null(1, query.after);
        statement.bind_or_null(2, query.tenant);
        statement.bind_or_null(3, query.user);
        statement.bind_or_null(4, query.label);
        statement.bind_or_null(5, query.role);
        statement.bind(6, query.active);
        statement.bind(7, query.revoked);
        statement.bind(8, query.limit);
      },
      read_key);
}

Result<void> SqliteApiKeys::note_used(std::span<const KeyUse> uses) {
  SqliteDatabase::Transaction transaction(database_);
  if (auto begun = transaction.begin(); !begun) {
    return begun;
  }
  for (const KeyUse& use : uses) {
    const auto noted = change(database_, "note_key_used", [&](SqliteStatement& statement) {
      statement.bind(1, use.id);
      statement.bind(2, use.time);
    });
    if (!noted) {
      return std::unexpected(noted.error());
    }
  }
  return transaction.commit();
}

Result<bool> SqliteTenants::add(const Tenant& tenant) {
  return any(change(database_, "add_tenant", [&](SqliteStatement& statement) { bind_tenant(statement, tenant); }));
}

Result<bool> SqliteTenants::update(const Tenant& tenant) {
  return any(change(database_, "update_tenant", [&](SqliteStatement& statement) { bind_tenant(statement, tenant); }));
}

Result<std::optional<Tenant>> SqliteTenants::find(std::string_view id) {
  return first_of(
      rows(database_, "find_tenant", [&](SqliteStatement& statement) { statement.bind(1, id); }, read_tenant));
}

Result<std::vector<Tenant>> SqliteTenants::list(const TenantQuery& query) {
  return rows(
      database_, "list_tenants",
      [&](SqliteStatement& statement) {
        statement.bind(1, query.after);
        statement.bind_or_null(2, query.parent);
        statement.bind(3, query.limit);
      },
      read_tenant);
}

Result<bool> SqliteTenants::remove(std::string_view id) {
  return any(change(database_, "remove_tenant", [&](SqliteStatement& statement) { statement.bind(1, id); }));
}

Result<void> SqliteAuditLog::add(const AuditEntry& entry) {
  const auto added = change(database_, "add_audit", [&](SqliteStatement& statement) {
    statement.bind(1, entry.time);
    statement.bind(2, entry.actor);
    statement.bind_or_null(3, entry.actor_key_id);
    statement.bind_or_null(4, entry.actor_role);
    statement.bind_or_null(5, entry.address);
    statement.bind_or_null(6, entry.request_id);
    statement.bind(7, entry.action);
    statement.bind(8, entry.object);
    statement.bind(9, entry.object_id);
    statement.bind_or_null(10, entry.before);
    statement.bind_or_null(11, entry.after);
  });
  return added ? Result<void>() : std::unexpected(added.error());
}

Result<std::vector<AuditEntry>> SqliteAuditLog::list(const AuditQuery& query) {
  return rows(
      database_, "list_audit",
      [&](SqliteStatement& statement) {
        statement.bind(1, query.after == 0 ? std::numeric_limits<std::int64_t>::max() : query.after);
        statement.bind_or_null(2, query.actor);
        statement.bind_or_null(3, query.action);
        statement.bind_or_null(4, query.object);
        statement.bind_or_null(5, query.object_id);
        statement.bind_or_null(6, query.from);
        statement.bind_or_null(7, query.to);
        statement.bind(8, query.limit);
      },
      read_audit);
}

Result<std::int64_t> SqliteAuditLog::remove_oldest(const std::string& before, std::int64_t entries_max) {
  return change(database_, "remove_oldest_audit", [&](SqliteStatement& statement) {
    statement.bind(1, before);
    statement.bind(2, entries_max);
  });
}

}  // namespace weir::store
