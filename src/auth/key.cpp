#include "auth/key.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::auth {

namespace {

constexpr std::array<std::pair<Role, std::string_view>, 4> roles{
    {{Role::bootstrap, "bootstrap"}, {Role::admin, "admin"}, {Role::operator_, "operator"}, {Role::user, "user"}}};

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [text](const std::string& pattern) { return matches(pattern, text); });
}

}  // namespace

std::string_view to_string(Role role) {
  for (const auto& [known, word] : roles) {
    if (known == role) {
      return word;
    }
  }
  return "user";
}

std::optional<Role> parse_role(std::string_view word) {
  for (const auto& [role, known] : roles) {
    if (known == word) {
      return role;
    }
  }
  return std::nullopt;
}

bool matches(std::string_view pattern, std::string_view text) {
  // Goes back to the last * only: what stands before it cannot fit better elsewhere.
  std::size_t at = 0;
  std::size_t in = 0;
  std::size_t star = std::string_view::npos;
  std::size_t after_star = 0;
  while (in < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      after_star = in;
      if (at == pattern.size()) {
        return true;
      }
    } else if (at < pattern.size() && pattern[at] == text[in]) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool Key::may_use_model(std::string_view model) const {
  return any_matches(models, model);
}

bool Key::may_use_endpoint(std::string_view path) const {
  return any_matches(endpoints, path);
}

bool Key::may_come_from(std::string_view client) const {
  if (ip_allow.empty()) {
    return true;
  }
  const auto address = platform::parse_address(client);
  return address &&
         std::ranges::any_of(ip_allow, [&](const platform::IpNetwork& network) { return network.contains(*address); });
}

}  // namespace weir::auth
