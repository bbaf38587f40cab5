#include <fmt/format.h>

#include "app/commands.hpp"
#include "auth/key_text.hpp"

namespace weir::app {

int generate_key() {
  fmt::print("{}\n", auth::make_key_text().reveal());
  return 0;
}

}  // namespace weir::app
