#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace weir {

void assertion_failed(const char* condition, const char* reason, const char* file, int line) {
  std::fprintf(stderr, "weir: assertion failed: %s (%s) at %s:%d\n", reason, condition, file, line);
  std::abort();
}

}  // namespace weir
