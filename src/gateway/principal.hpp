#pragma once

#include "auth/principal.hpp"

namespace weir::gateway {

using auth::Principal;

}  // namespace weir::gateway
