#include "store/sql_files.hpp"

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"

namespace weir::store {

namespace {

int version_of(std::string_view name) {
  int version = 0;
  std::from_chars(name.data(), name.data() + name.size(), version);
  return version;
}

}  // namespace

std::vector<Migration> migrations_of(std::span<const SqlFile> files) {
  std::vector<Migration> migrations;
  for (const SqlFile& file : files) {
    if (const int version = version_of(file.name); version > 0) {
      migrations.push_back({.version = version, .name = file.name, .text = file.text});
    }
  }
  std::ranges::sort(migrations, {}, &Migration::version);
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    WEIR_ASSERT(migrations[i].version == static_cast<int>(i) + 1, "migrations are numbered 1, 2, 3 ...");
  }
  return migrations;
}

std::map<std::string, std::string, std::less<>> statements_of(std::span<const SqlFile> files) {
  constexpr std::string_view mark = "-- name: ";
  std::map<std::string, std::string, std::less<>> statements;
  for (const SqlFile& file : files) {
    if (version_of(file.name) > 0) {
      continue;
    }
    std::string_view rest = file.text;
    for (std::size_t at = rest.find(mark); at != std::string_view::npos; at = rest.find(mark)) {
      rest.remove_prefix(at + mark.size());
      const std::size_t line_end = rest.find('\n');
      const bool added =
          statements.emplace(rest.substr(0, line_end), rest.substr(line_end, rest.find(mark) - line_end)).second;
      WEIR_ASSERT(added, "each statement has a name of its own");
    }
  }
  return statements;
}

}  // namespace weir::store
