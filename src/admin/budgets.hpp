#pragma once

#include "api/registry.hpp"

namespace weir::admin {

/// Adds `GET /admin/v1/budgets`: how every budget and quota stands that a call was paid from since weir began, and
/// those that the configuration gives to somebody by name, asked or not.
void add_budget_endpoint(api::Registry& registry);

}  // namespace weir::admin
