# cmake -DFROM=FOLDER -DOUT=FILE.cpp -P embed_sql.cmake: the .sql files of a folder as constants in a C++ source, sorted by name.
file(GLOB names RELATIVE ${FROM} ${FROM}/*.sql)
list(SORT names)
set(rows "")
foreach(name IN LISTS names)
  file(READ ${FROM}/${name} text)
  string(REPLACE ".sql" "" stem ${name})
  string(APPEND rows "    SqlFile{\"${stem}\", R\"sql(${text})sql\"},\n")
endforeach()
file(WRITE ${OUT} "// Made by cmake/embed_sql.cmake.
#include \"store/sql_files.hpp\"

namespace weir::store {

namespace {
constexpr SqlFile files[] = {
${rows}};
}  // namespace

std::span<const SqlFile> sqlite_files() {
  return files;
}

}  // namespace weir::store
")
