#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/address.hpp"
#include "platform/clock.hpp"

namespace weir::auth {

/// What a key opens. `bootstrap`: /admin alone; `admin` and `operator_`: /admin and calls; `user`: calls.
enum class Role : std::uint8_t { bootstrap, admin, operator_, user };
[[nodiscard]] std::string_view to_string(Role role);
[[nodiscard]] std::optional<Role> parse_role(std::string_view word);

/// True where `pattern` takes `text`: each * in it stands for anything, nothing included.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

struct KeyRules;  // key_rules.hpp

/// What is known of one caller key; its text is not among it. Plain value, part of a snapshot.
struct Key {
  std::string id;     // "key_...", or "config:NAME"
  std::string label;  // for people: logs, explain, errors to whoever holds the key
  Role role = Role::user;
  bool active = true;
  std::optional<platform::WallTime> expires_at;  // from then on it is refused
  std::string tenant = "default";
  std::string user;                             // empty: the key stands for nobody in particular
  std::vector<std::string> models{"*"};         // patterns of the names that its calls may give
  std::vector<std::string> endpoints{"*"};      // patterns of paths
  std::vector<platform::IpNetwork> ip_allow{};  // empty: from anywhere
  std::shared_ptr<const KeyRules> rules;        // its own limits, budgets and quotas; null: none

  friend bool operator==(const Key&, const Key&) = default;
  [[nodiscard]] bool may_use_model(std::string_view model) const;
  [[nodiscard]] bool may_use_endpoint(std::string_view path) const;
  /// `client`: an address as text; one that is none is in no list.
  [[nodiscard]] bool may_come_from(std::string_view client) const;
};

}  // namespace weir::auth
