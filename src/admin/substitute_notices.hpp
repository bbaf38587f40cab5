#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "routing/policy.hpp"

namespace weir::admin {

/// What whoever writes these budgets and quotas (JSON texts that were accepted) should know: each substitute that is no
/// model now. It is no error, as a reload may bring it.
[[nodiscard]] std::vector<std::string> notices_about_substitutes(std::string_view budgets, std::string_view quotas,
                                                                 const routing::ModelTable& models);

}  // namespace weir::admin
