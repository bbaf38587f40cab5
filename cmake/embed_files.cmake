# cmake -DFROM=FOLDER -DNAMES=a|b -DOUT=FILE.cpp -P embed_files.cmake: files as constants in a C++ source, each with an
# ETag of its content.
string(REPLACE "|" ";" names "${NAMES}")
set(rows "")
foreach(name IN LISTS names)
  file(READ ${FROM}/${name} bytes HEX)
  file(SHA256 ${FROM}/${name} digest)
  string(SUBSTRING ${digest} 0 16 digest)
  string(REGEX REPLACE "(................................)" "\\1\"\n    \"" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${bytes}")
  string(APPEND rows "    UiFile{\"${name}\", \"\\\"${digest}\\\"\",\n    std::string_view(\"${bytes}\"sv)},\n")
endforeach()
file(WRITE ${OUT} "// Made by cmake/embed_files.cmake.
#include \"admin/ui_files.hpp\"

namespace weir::admin {

namespace {
using namespace std::string_view_literals;
constexpr UiFile files[] = {
${rows}};
}  // namespace

std::span<const UiFile> ui_files() {
  return files;
}

}  // namespace weir::admin
")
