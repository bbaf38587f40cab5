# cmake -DFROM=FILE -DNAME=name -DNAMESPACE=weir::api -DHEADER=api/x.hpp -DOUT=FILE.cpp -P embed_text.cmake: a text file as
# `std::string_view name()` in a C++ source.
file(READ ${FROM} text)
file(WRITE ${OUT} "// Made by cmake/embed_text.cmake.
#include \"${HEADER}\"

namespace ${NAMESPACE} {

std::string_view ${NAME}() {
  return R\"text(${text})text\";
}

}  // namespace ${NAMESPACE}
")
