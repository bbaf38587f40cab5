#pragma once

#include <span>
#include <string_view>

#include "platform/clock.hpp"
#include "routing/resolve.hpp"

namespace weir::routing {

/// Which member of a step is asked next: an index into `members`, those that were not asked yet; not empty. Pure but
/// for what it reads of the targets' states. `drawn` in [0, 1) decides where nothing else does.
std::size_t choose(std::span<const Candidate> members, Balance balance, double drawn, platform::Instant now);

/// The one of the least cost; among equals `drawn` decides. Not empty.
std::size_t choose_least(std::span<const double> costs, double drawn);

/// Always the same member for the same key, in all processes, in shares by weight; another weight or member moves only
/// the keys that it has to.
/// Source: weighted rendezvous hashing, J. Schindelhauer and G. Schomaker, "Weighted Distributed Hash Tables" (2005).
std::size_t choose_for(std::span<const Candidate> members, std::string_view key);

}  // namespace weir::routing
