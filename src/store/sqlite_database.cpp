#include "store/sqlite_database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/assert.hpp"
#include "store/sql_files.hpp"

namespace weir::store {

namespace {

std::unexpected<Error> failure(sqlite3* database, const std::string& what) {
  return fail(Code::store_unavailable, fmt::format("{}: {}", what, sqlite3_errmsg(database)));
}

const std::map<std::string, std::string, std::less<>>& statements() {
  static const auto all = statements_of(sqlite_files());
  return all;
}

bool same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// What this process has open of the file; -1 where that cannot be found.
int descriptor_of(const struct stat& file) {
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(error)) {  // the end after an error
    const std::string name = entry->path().filename().string();
    int descriptor = -1;
    struct stat found{};
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (::fstat(descriptor, &found) == 0 && same_file(found, file)) {
      return descriptor;
    }
  }
  return -1;
}

}  // namespace

SqliteStatement::~SqliteStatement() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void SqliteStatement::bind(int parameter, std::int64_t value) {
  const int done = sqlite3_bind_int64(statement_, parameter, value);
  WEIR_ASSERT(done == SQLITE_OK, "the statement has this parameter and is not running");
}

void SqliteStatement::bind(int parameter, double value) {
  const int done = sqlite3_bind_double(statement_, parameter, value);
  WEIR_ASSERT(done == SQLITE_OK, "the statement has this parameter and is not running");
}

void SqliteStatement::bind(int parameter, std::string_view value) {
  const char* const text = value.data() == nullptr ? "" : value.data();  // null would be NULL
  const int done = sqlite3_bind_text64(statement_, parameter, text, value.size(), nullptr, SQLITE_UTF8);
  WEIR_ASSERT(done == SQLITE_OK, "the statement has this parameter and is not running");
}

void SqliteStatement::bind_bytes_or_null(int parameter, std::string_view bytes) {
  if (bytes.empty()) {
    return;
  }
  const int done = sqlite3_bind_blob64(statement_, parameter, bytes.data(), bytes.size(), nullptr);
  WEIR_ASSERT(done == SQLITE_OK, "the statement has this parameter and is not running");
}

Result<bool> SqliteStatement::step() {
  const int done = sqlite3_step(statement_);
  if (done == SQLITE_ROW || done == SQLITE_DONE) {
    return done == SQLITE_ROW;
  }
  return failure(database_, "the database refused a statement");
}

Result<void> SqliteStatement::run() {
  const auto row = step();
  return row ? Result<void>() : std::unexpected(row.error());
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double SqliteStatement::real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string_view SqliteStatement::view(int column) const {
  const void* const bytes = sqlite3_column_text(statement_, column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(static_cast<const char*>(bytes),
                                             static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::string SqliteStatement::bytes(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes),
                                        static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string& file,
                                                             std::chrono::milliseconds lock_wait) {
  sqlite3* database = nullptr;
  const int opened = sqlite3_open_v2(file.c_str(), &database,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteDatabase> made(new SqliteDatabase(database, file));
  if (opened != SQLITE_OK) {
    return failure(database, file);
  }
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, static_cast<int>(lock_wait.count()));
  if (struct stat found{}; ::stat(file.c_str(), &found) == 0) {
    made->descriptor_ = descriptor_of(found);
    made->known_ = found.st_size;
  }
  return made;
}

void SqliteDatabase::let_news_leave_memory() {
  // A checkpoint may have left out what somebody reads.
  constexpr std::int64_t looked_at_again = std::int64_t{16} << 20;
  struct stat known{};
  struct stat now{};
  if (::stat(file_.c_str(), &now) != 0) {
    return;
  }
  // SQLite's descriptor may have become another file's, whose pages are no business of ours.
  if (::fstat(descriptor_, &known) != 0 || !same_file(known, now)) {
    descriptor_ = descriptor_of(now);
  }
  known_ = std::min<std::int64_t>(known_, now.st_size);
  ::posix_fadvise(descriptor_, known_, now.st_size - known_, POSIX_FADV_DONTNEED);
  known_ = std::max<std::int64_t>(known_, now.st_size - looked_at_again);
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [name, statement] : prepared_) {
    sqlite3_finalize(statement);
  }
  sqlite3_close(database_);
}

Result<void> SqliteDatabase::execute(const std::string& sql) {
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure(database_, file_);
  }
  return {};
}

Result<std::unique_ptr<SqliteStatement>> SqliteDatabase::statement(std::string_view name) {
  auto found = prepared_.find(name);
  if (found == prepared_.end()) {
    const auto known = statements().find(name);
    WEIR_ASSERT(known != statements().end(), "the statement is in one of the files of sql/");
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v3(database_, known->second.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr) !=
        SQLITE_OK) {
      return failure(database_, file_);
    }
    found = prepared_.emplace(name, made).first;
  }
  return std::make_unique<SqliteStatement>(database_, found->second);
}

Result<std::int64_t> SqliteDatabase::number(const std::string& sql) {
  sqlite3_stmt* made = nullptr;
  if (sqlite3_prepare_v2(database_, sql.c_str(), -1, &made, nullptr) != SQLITE_OK) {
    return failure(database_, file_);
  }
  const bool row = sqlite3_step(made) == SQLITE_ROW;
  const std::int64_t value = row ? sqlite3_column_int64(made, 0) : 0;
  sqlite3_finalize(made);
  return row ? Result<std::int64_t>(value) : failure(database_, file_);
}

std::int64_t SqliteDatabase::changes() const {
  return sqlite3_changes64(database_);
}

Result<void> SqliteDatabase::copy_to(const std::string& file) {
  auto target = open(file, std::chrono::seconds(1));
  if (!target) {
    return std::unexpected(std::move(target.error()));
  }
  sqlite3_backup* const backup = sqlite3_backup_init((*target)->database_, "main", database_, "main");
  if (backup == nullptr) {
    return failure((*target)->database_, file);
  }
  const int done = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (done != SQLITE_DONE) {
    return failure((*target)->database_, file);
  }
  // The copy is one file: what a journal beside it would hold is in it.
  return (*target)->execute("PRAGMA journal_mode = DELETE");
}

SqliteDatabase::Transaction::~Transaction() {
  if (open_) {
    static_cast<void>(database_.execute("ROLLBACK"));
  }
}

Result<void> SqliteDatabase::Transaction::begin() {
  auto begun = database_.execute("BEGIN IMMEDIATE");
  open_ = begun.has_value();
  return begun;
}

Result<void> SqliteDatabase::Transaction::commit() {
  auto committed = database_.execute("COMMIT");
  open_ = !committed.has_value();
  return committed;
}

}  // namespace weir::store
