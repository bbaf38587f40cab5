#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace weir::store {

struct SqliteOptions {
  std::string file;
  std::chrono::milliseconds lock_wait{250};  // for another process's lock; then store_unavailable
  bool migrate = true;                       // false: an error where the schema is older than this version
};

/// Opens the file, or makes it, and brings its schema up to date: each migration in a transaction of its
/// own. A schema that is newer than this version is an error.
Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options);

/// What open_sqlite_store() would do to the file's schema, or has done.
struct MigrationReport {
  int before = 0;
  int after = 0;
  std::vector<std::string> applied;  // names, in order
};
Result<MigrationReport> migrate_sqlite(const SqliteOptions& options);

}  // namespace weir::store
