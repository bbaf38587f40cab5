#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::store {

/// A file of sql/sqlite/, made a part of the binary by cmake/embed_sql.cmake.
struct SqlFile {
  std::string_view name;  // without .sql
  std::string_view text;
};
[[nodiscard]] std::span<const SqlFile> sqlite_files();

/// `NNNN_what_it_does.sql`: applied once, in the order of the numbers, each in a transaction.
struct Migration {
  int version = 0;
  std::string_view name;  // "0001_initial"
  std::string_view text;
};
[[nodiscard]] std::vector<Migration> migrations_of(std::span<const SqlFile> files);

/// The statements of the other files: what stands behind each line `-- name: NAME`.
[[nodiscard]] std::map<std::string, std::string, std::less<>> statements_of(std::span<const SqlFile> files);

}  // namespace weir::store
