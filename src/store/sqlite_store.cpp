#include "store/sqlite_store.hpp"

#include <fmt/format.h>

#include "store/sql_files.hpp"
#include "store/sqlite_database.hpp"
#include "store/sqlite_identities.hpp"
#include "store/sqlite_request_log.hpp"

namespace weir::store {

namespace {

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
    auto done = database_->execute("PRAGMA wal_checkpoint(PASSIVE)");
    database_->let_news_leave_memory();
    return done;
  }
  Result<std::int64_t> bytes() override {
    return database_->number(
        "SELECT (c.page_count - f.freelist_count) * s.page_size "
        "FROM pragma_page_count AS c, pragma_freelist_count AS f, pragma_page_size AS s");
  }
  Result<void> shrink() override { return database_->execute("PRAGMA incremental_vacuum"); }
  Result<void> backup(const std::string& file) override { return database_->copy_to(file); }
  int schema_version() override { return version_; }
  void on_progress(std::function<void()> told) override { requests_.on_progress(std::move(told)); }

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
  // page_size and auto_vacuum have an effect only before the first table is made, and before the change to WAL. The
  // pages are as large as they are because a block of calls takes several, and each costs system calls to write.
  for (const char* setting :
       {"PRAGMA page_size = 16384", "PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL",
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
