#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace weir::store {

/// A prepared statement while it is being used; ready for the next use when this goes. Parameters count from 1, columns
/// from 0. Texts that are bound live until the next step().
class SqliteStatement {
 public:
  explicit SqliteStatement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;
  ~SqliteStatement();

  void bind(int parameter, std::int64_t value);
  void bind(int parameter, int value) { bind(parameter, std::int64_t{value}); }
  void bind(int parameter, bool value) { bind(parameter, std::int64_t{value}); }
  void bind(int parameter, double value);
  void bind(int parameter, std::string_view value);
  void bind(int parameter, const std::string& value) { bind(parameter, std::string_view(value)); }
  void bind(int parameter, const char*) = delete;
  template <class Value>
  void bind(int parameter, const std::optional<Value>& value) {
    if (value) {
      bind(parameter, *value);
    }
  }
  /// Bytes that are no text; none at all is null.
  void bind_bytes_or_null(int parameter, std::string_view bytes);
  /// An empty text is null.
  void bind_or_null(int parameter, std::string_view value) {
    if (!value.empty()) {
      bind(parameter, value);
    }
  }

  /// True: a row is there. False: it is done.
  Result<bool> step();
  /// For statements without rows.
  Result<void> run();
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const { return std::string(view(column)); }
  /// Lives until the next step().
  [[nodiscard]] std::string_view view(int column) const;
  [[nodiscard]] std::string bytes(int column) const;

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_;
};

/// One connection to a SQLite file. Belongs to one thread at a time.
class SqliteDatabase {
 public:
  /// Opens or makes it. `lock_wait`: how long a statement waits for another connection's lock.
  static Result<std::unique_ptr<SqliteDatabase>> open(const std::string& file, std::chrono::milliseconds lock_wait);
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;
  ~SqliteDatabase();

  /// Statements without parameters and rows that matter.
  Result<void> execute(const std::string& sql);
  /// Of the files in sql/sqlite/, by name. Prepared once.
  Result<std::unique_ptr<SqliteStatement>> statement(std::string_view name);
  Result<std::int64_t> number(const std::string& sql);
  [[nodiscard]] std::int64_t changes() const;
  Result<void> copy_to(const std::string& file);
  /// What was added to the file since the last time leaves the page cache, if it has arrived on the disk: nearly
  /// nothing of it is ever asked for, and memory that the kernel takes anew for each page is dear (decision 0022).
  void let_news_leave_memory();

  /// Rolled back by the destructor where commit() was not reached.
  class Transaction {
   public:
    explicit Transaction(SqliteDatabase& database) : database_(database) {}
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();
    Result<void> begin();
    Result<void> commit();

   private:
    SqliteDatabase& database_;
    bool open_ = false;
  };

 private:
  explicit SqliteDatabase(sqlite3* database, std::string file) : database_(database), file_(std::move(file)) {}

  sqlite3* database_;
  std::string file_;
  int descriptor_ = -1;     // of the file, SQLite's own. To close one for the same file would release SQLite's locks.
  std::int64_t known_ = 0;  // bytes of the file that are no news
  std::map<std::string, sqlite3_stmt*, std::less<>> prepared_;
};

}  // namespace weir::store
