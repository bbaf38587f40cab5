#pragma once

#include "app/config_load.hpp"
#include "routing/policy.hpp"
#include "settings/section.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::app {

/// The sections that may set timeouts, retry, recovery and circuit_breaker, from weak to strong: general, provider,
/// model, step, target.
using Levels = std::vector<settings::Section>;

/// Each option from the strongest level that sets it, else its default.
routing::Timeouts effective_timeouts(const Levels& levels);
routing::Retry effective_retry(const Levels& levels);
routing::Recovery effective_recovery(const Levels& levels);
routing::BreakerOptions effective_breaker(const Levels& levels);

/// The same values with what set each of them.
std::vector<EffectiveValue> explain_values(const Levels& levels);
/// `value` of an option that stands in the levels themselves, with what set it.
EffectiveValue explain_value(const Levels& levels, std::string_view option, std::string value);

}  // namespace weir::app
