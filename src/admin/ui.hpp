#pragma once

#include "api/registry.hpp"

namespace weir::admin {

/// Adds the live page: `/ui/` with its files, and `/ui`, which leads there.
void add_ui_endpoints(api::Registry& registry);

}  // namespace weir::admin
