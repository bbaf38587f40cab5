#include "api/query_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "settings/nearest.hpp"

namespace weir::api {

std::optional<openai::RequestError> refuse_unknown(std::string_view query, std::span<const std::string_view> known) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    const std::string_view name = part.substr(0, part.find('='));
    if (part.empty() || std::ranges::find(known, name) != known.end()) {
      continue;
    }
    return openai::RequestError{
        .message = fmt::format("There is no parameter `{}` here; {}{}", name,
                               known.empty() ? "there are none" : fmt::format("there are {}", fmt::join(known, ", ")),
                               settings::did_you_mean(name, {known.begin(), known.end()})),
        .code = "",
        .param = std::string(name)};
  }
  return std::nullopt;
}

}  // namespace weir::api
