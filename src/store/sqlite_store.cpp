#include "store/sqlite_store.hpp"

#include <fmt/format.h>

#include "store/sql_files.hpp"
#include "store/sqlite_database.hpp"
#include "store/sqlite_identities.hpp"

namespace weir::store {

namespace {

constexpr std::string_view above_all_ids = "~";  // sorts behind every id

/// The nearest number that SQLite has: up to 9,000 dollars the same picodollars come back from it.
std::optional<double> dollars(const std::optional<std::int64_t>& picodollars) {
  return picodollars ? std::optional(static_cast<double>(*picodollars) / 1e12) : std::nullopt;
}

class SqliteRequestLog final : public RequestLog {
 public:
  explicit SqliteRequestLog(SqliteDatabase& database) : database_(database) {}

  Result<void> put(std::span<const InferenceLog> calls) override {
    SqliteDatabase::Transaction transaction(database_);
    if (auto begun = transaction.begin(); !begun) {
      return begun;
    }
    for (const InferenceLog& call : calls) {
      if (auto put = put_one(call); !put) {
        return put;
      }
    }
    return transaction.commit();
  }

  Result<std::optional<std::string>> find(std::string_view id) override {
    auto statement = database_.statement("find_request");
    if (!statement) {
      return std::unexpected(std::move(statement.error()));
    }
    (*statement)->bind(1, id);
    const auto row = (*statement)->step();
    if (!row) {
      return std::unexpected(row.error());
    }
    return *row ? std::optional((*statement)->text(0)) : std::nullopt;
  }

  Result<RequestPage> list(const RequestQuery& query) override {
    auto prepared = database_.statement("list_requests");
    if (!prepared) {
      return std::unexpected(std::move(prepared.error()));
    }
    SqliteStatement& statement = **prepared;
    statement.bind(1, query.after.empty() ? above_all_ids : std::string_view(query.after));
    statement.bind(2, query.from);
    statement.bind_or_null(3, query.key_id);
    statement.bind_or_null(4, query.model);
    statement.bind(5, query.status_from);
    statement.bind(6, query.status_to ? query.status_to : query.status_from);
    statement.bind_or_null(7, query.end_state);
    statement.bind_or_null(8, query.tenant);
    statement.bind(9, query.limit + 1);
    RequestPage page;
    std::string last;
    while (true) {
      const auto row = statement.step();
      if (!row) {
        return std::unexpected(row.error());
      }
      if (!*row) {
        return page;
      }
      if (page.records.size() == static_cast<std::size_t>(query.limit)) {
        page.next = last;
        return page;
      }
      last = statement.text(0);
      page.records.push_back(statement.text(1));
    }
  }

  Result<std::vector<UsageRow>> usage(const UsageQuery& query) override {
    auto prepared = database_.statement("usage");
    if (!prepared) {
      return std::unexpected(std::move(prepared.error()));
    }
    SqliteStatement& statement = **prepared;
    statement.bind(1, query.from);
    statement.bind(2, query.to.empty() ? above_all_ids : std::string_view(query.to));
    statement.bind(3, query.by_key);
    statement.bind(4, query.by_model);
    statement.bind(5, query.by_day);
    statement.bind(6, query.by_tenant);
    statement.bind_or_null(7, query.key_id);
    statement.bind_or_null(8, query.tenant);
    statement.bind_or_null(9, query.model);
    std::vector<UsageRow> rows;
    while (true) {
      const auto row = statement.step();
      if (!row) {
        return std::unexpected(row.error());
      }
      if (!*row) {
        return rows;
      }
      rows.push_back({.key_id = statement.text(0),
                      .tenant = statement.text(3),
                      .model = statement.text(1),
                      .day = statement.text(2),
                      .requests = statement.integer(4),
                      .errors = statement.integer(5),
                      .attempts = statement.integer(6),
                      .cached = statement.integer(7),
                      .input_tokens = statement.integer(8),
                      .cached_input_tokens = statement.integer(9),
                      .output_tokens = statement.integer(10),
                      .reasoning_tokens = statement.integer(11),
                      .cost_picodollars = statement.is_null(12) ? std::nullopt : std::optional(statement.integer(12)),
                      .unpriced = statement.integer(13)});
    }
  }

  Result<std::int64_t> remove_oldest(std::string_view before, std::int64_t calls_max) override {
    SqliteDatabase::Transaction transaction(database_);
    if (auto begun = transaction.begin(); !begun) {
      return std::unexpected(std::move(begun.error()));
    }
    std::string last;
    {
      auto oldest = database_.statement("oldest_requests");
      if (!oldest) {
        return std::unexpected(std::move(oldest.error()));
      }
      (*oldest)->bind(1, before);
      (*oldest)->bind(2, calls_max);
      if (const auto row = (*oldest)->step(); !row) {
        return std::unexpected(row.error());
      }
      last = (*oldest)->text(0);
    }
    if (last.empty()) {
      return 0;
    }
    std::int64_t removed = 0;
    for (const std::string_view name : {"remove_attempts", "remove_requests"}) {
      auto statement = database_.statement(name);
      if (!statement) {
        return std::unexpected(std::move(statement.error()));
      }
      (*statement)->bind(1, last);
      if (const auto done = (*statement)->run(); !done) {
        return std::unexpected(done.error());
      }
      removed = database_.changes();
    }
    if (auto committed = transaction.commit(); !committed) {
      return std::unexpected(std::move(committed.error()));
    }
    return removed;
  }

 private:
  Result<void> put_one(const InferenceLog& call) {
    {
      auto prepared = database_.statement("put_request");
      if (!prepared) {
        return std::unexpected(std::move(prepared.error()));
      }
      SqliteStatement& statement = **prepared;
      statement.bind(1, call.id);
      statement.bind(2, call.time);
      statement.bind_or_null(3, call.tenant);
      statement.bind_or_null(4, call.key_id);
      statement.bind(5, call.endpoint);
      statement.bind(6, call.model);
      statement.bind_or_null(7, call.provider);
      statement.bind_or_null(8, call.upstream_model);
      statement.bind(9, call.stream);
      statement.bind(10, call.cached);
      statement.bind(11, call.status);
      statement.bind(12, call.end_state);
      statement.bind_or_null(13, call.error_code);
      statement.bind(14, call.duration_ms);
      statement.bind(15, call.first_token_ms);
      statement.bind(16, call.added_ms);
      statement.bind(17, call.input_tokens);
      statement.bind(18, call.cached_input_tokens);
      statement.bind(19, call.output_tokens);
      statement.bind(20, call.reasoning_tokens);
      statement.bind(21, call.usage_source);
      statement.bind(22, dollars(call.cost_picodollars));
      statement.bind(23, static_cast<std::int64_t>(call.attempts.size()));
      statement.bind(24, call.record);
      if (auto done = statement.run(); !done) {
        return done;
      }
      if (database_.changes() == 0) {
        return {};  // it is there, with its attempts
      }
    }
    int number = 0;
    for (const InferenceAttempt& attempt : call.attempts) {
      auto prepared = database_.statement("put_attempt");
      if (!prepared) {
        return std::unexpected(std::move(prepared.error()));
      }
      SqliteStatement& statement = **prepared;
      statement.bind(1, call.id);
      statement.bind(2, ++number);
      statement.bind(3, attempt.provider);
      statement.bind(4, attempt.upstream_model);
      statement.bind(5, attempt.status);
      statement.bind(6, attempt.end_state);
      statement.bind_or_null(7, attempt.failure);
      statement.bind(8, attempt.started_ms);
      statement.bind(9, attempt.first_token_ms);
      statement.bind(10, attempt.ended_ms);
      statement.bind(11, attempt.input_tokens);
      statement.bind(12, attempt.cached_input_tokens);
      statement.bind(13, attempt.output_tokens);
      statement.bind(14, attempt.reasoning_tokens);
      statement.bind(15, dollars(attempt.cost_picodollars));
      if (auto done = statement.run(); !done) {
        return done;
      }
    }
    return {};
  }

  SqliteDatabase& database_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<SqliteDatabase> database, int version)
      : database_(std::move(database)),
        requests_(*database_),
        keys_(*database_),
        tenants_(*database_),
        audit_(*database_),
        version_(version) {}

  RequestLog& requests() override { return requests_; }
  ApiKeys& keys() override { return keys_; }
  Tenants& tenants() override { return tenants_; }
  AuditLog& audit() override { return audit_; }
  Result<void> atomically(const std::function<Result<void>()>& work) override {
    SqliteDatabase::Transaction transaction(*database_);
    if (auto begun = transaction.begin(); !begun) {
      return begun;
    }
    if (auto done = work(); !done) {
      return done;
    }
    return transaction.commit();
  }
  Result<void> make_durable() override {
    // With synchronous = NORMAL a commit is in the file beside; this syncs it and moves it into the database.
    return database_->execute("PRAGMA wal_checkpoint(PASSIVE)");
  }
  Result<std::int64_t> bytes() override {
    return database_->number(
        "SELECT (c.page_count - f.freelist_count) * s.page_size "
        "FROM pragma_page_count AS c, pragma_freelist_count AS f, pragma_page_size AS s");
  }
  Result<void> shrink() override { return database_->execute("PRAGMA incremental_vacuum"); }
  Result<void> backup(const std::string& file) override { return database_->copy_to(file); }
  int schema_version() override { return version_; }

 private:
  std::unique_ptr<SqliteDatabase> database_;
  SqliteRequestLog requests_;
  SqliteApiKeys keys_;
  SqliteTenants tenants_;
  SqliteAuditLog audit_;
  int version_;
};

Result<std::unique_ptr<SqliteDatabase>> open_database(const SqliteOptions& options) {
  auto database = SqliteDatabase::open(options.file, options.lock_wait);
  if (!database) {
    return database;
  }
  // auto_vacuum has an effect only before the first table is made, and before the change to WAL.
  for (const char* setting : {"PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL",
                              "PRAGMA synchronous = NORMAL", "PRAGMA foreign_keys = ON", "PRAGMA cache_size = -1024"}) {
    if (auto done = (*database)->execute(setting); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return database;
}

Result<int> version_of(SqliteDatabase& database) {
  auto statement = database.statement("current_version");
  if (!statement) {
    return std::unexpected(std::move(statement.error()));
  }
  if (const auto row = (*statement)->step(); !row) {
    return std::unexpected(row.error());
  }
  return static_cast<int>((*statement)->integer(0));
}

Result<MigrationReport> bring_up_to_date(SqliteDatabase& database, const SqliteOptions& options) {
  const std::vector<Migration> migrations = migrations_of(sqlite_files());
  if (auto begin = database.statement("create_migrations"); !begin) {
    return std::unexpected(std::move(begin.error()));
  } else if (auto made = (*begin)->run(); !made) {
    return std::unexpected(std::move(made.error()));
  }
  MigrationReport report;
  const auto found = version_of(database);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (*found == migrations.back().version) {  // as nearly always: no lock is needed to know that
    report.before = report.after = *found;
    return report;
  }
  for (bool first = true;; first = false) {
    SqliteDatabase::Transaction transaction(database);
    if (auto begun = transaction.begin(); !begun) {
      return std::unexpected(std::move(begun.error()));
    }
    const auto version = version_of(database);  // inside: another process may be doing the same
    if (!version) {
      return std::unexpected(version.error());
    }
    report.before = first ? *version : report.before;
    report.after = *version;
    const int newest = migrations.back().version;
    if (*version > newest) {
      return fail(Code::store_unavailable,
                  fmt::format("{} has the schema {}, and this version of weir knows up to {}: run a newer weir, or "
                              "restore a backup",
                              options.file, *version, newest));
    }
    if (*version == newest) {
      return report;
    }
    if (!options.migrate) {
      return fail(Code::store_unavailable,
                  fmt::format("{} has the schema {}; `weir migrate` brings it to {}", options.file, *version, newest));
    }
    const Migration& next = migrations[static_cast<std::size_t>(*version)];
    if (auto applied = database.execute(std::string(next.text)); !applied) {
      return std::unexpected(std::move(applied.error()));
    }
    {
      auto note = database.statement("note_migration");
      if (!note) {
        return std::unexpected(std::move(note.error()));
      }
      (*note)->bind(1, next.version);
      (*note)->bind(2, next.name);
      if (auto noted = (*note)->run(); !noted) {
        return std::unexpected(std::move(noted.error()));
      }
    }
    if (auto committed = transaction.commit(); !committed) {
      return std::unexpected(std::move(committed.error()));
    }
    report.applied.emplace_back(next.name);
  }
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options) {
  auto database = open_database(options);
  if (!database) {
    return std::unexpected(std::move(database.error()));
  }
  const auto report = bring_up_to_date(**database, options);
  if (!report) {
    return std::unexpected(report.error());
  }
  return std::make_unique<SqliteStore>(std::move(*database), report->after);
}

Result<MigrationReport> migrate_sqlite(const SqliteOptions& options) {
  auto database = open_database(options);
  if (!database) {
    return std::unexpected(std::move(database.error()));
  }
  return bring_up_to_date(**database, options);
}

}  // namespace weir::store
