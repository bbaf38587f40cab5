#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::settings {

/// The number of letters to add, drop, change or swap with their neighbour to make one text from the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `name` most likely means; empty where none is near enough to be worth suggesting.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

/// `; did you mean "openai"?`, or nothing where no candidate is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace weir::settings
