#include "auth/stored_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "auth/key_rules.hpp"
#include "observe/json_time.hpp"
#include "text/json_value.hpp"

namespace weir::auth {

namespace {

Error not_understood(std::string_view column) {
  return {.code = Code::store_unavailable, .message = fmt::format("`{}` cannot be understood", column)};
}

std::optional<std::vector<std::string>> read_texts(std::string_view json) {
  std::vector<std::string> texts;
  if (!text::scan_document(json) || json.find_first_not_of(" \t\r\n") != json.find('[')) {
    return std::nullopt;
  }
  bool good = true;
  text::for_each_element(json, [&](const text::JsonValue& element) {
    auto value =
        element.kind == text::JsonKind::string ? text::unescape(element.string_raw()) : std::optional<std::string>();
    good = value.has_value();
    if (good) {
      texts.push_back(std::move(*value));
    }
    return good;
  });
  return good ? std::optional(std::move(texts)) : std::nullopt;
}

std::optional<KeyHash> read_hash(std::string_view bytes) {
  KeyHash hash{};
  if (bytes.size() != hash.size()) {
    return std::nullopt;
  }
  std::ranges::transform(bytes, hash.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return hash;
}

/// What a row says of its key.
Result<std::shared_ptr<const Key>> read_key(const store::ApiKey& row) {
  auto key = std::make_shared<Key>();
  key->id = row.id;
  key->label = row.label.empty() ? row.id : row.label;
  const auto role = parse_role(row.role);
  if (!role) {
    return std::unexpected(not_understood("role"));
  }
  key->role = *role;
  key->active = row.active;
  key->tenant = row.tenant;
  key->user = row.user;
  if (row.tenant.empty()) {
    return std::unexpected(not_understood("tenant"));
  }
  if (!row.expires_at.empty()) {
    key->expires_at = observe::parse_rfc3339(row.expires_at);
    if (!key->expires_at) {
      return std::unexpected(not_understood("expires_at"));
    }
  }
  for (const auto& [column, json, into] : {std::tuple{std::string_view("models"), &row.models, &key->models},
                                           {std::string_view("endpoints"), &row.endpoints, &key->endpoints}}) {
    auto texts = read_texts(*json);
    if (!texts) {
      return std::unexpected(not_understood(column));
    }
    *into = std::move(*texts);
  }
  const auto networks = read_texts(row.ip_allow);
  if (!networks) {
    return std::unexpected(not_understood("ip_allow"));
  }
  for (const std::string& network : *networks) {
    const auto parsed = platform::parse_network(network);
    if (!parsed) {  // one less would be all addresses, where it was the only one
      return std::unexpected(not_understood("ip_allow"));
    }
    key->ip_allow.push_back(*parsed);
  }
  auto limits = limits::parse_rules(row.limits);
  auto budgets = ledger::parse_budget_rules(row.budgets, row.quotas);
  if (!limits || !budgets) {
    return std::unexpected(limits ? budgets.error() : limits.error());
  }
  if (!limits->empty() || !budgets->empty()) {
    key->rules =
        std::make_shared<const KeyRules>(KeyRules{.limits = std::move(*limits), .budgets = std::move(*budgets)});
  }
  return key;
}

}  // namespace

void add_stored_keys(StoredKeys& read, std::span<const store::ApiKey> rows) {
  for (const store::ApiKey& row : rows) {
    const bool bootstrap = row.role == to_string(Role::bootstrap);
    read.any_bootstrap = read.any_bootstrap || (bootstrap && row.revoked_at.empty());
    read.any_caller = read.any_caller || !bootstrap;
    read.any_admin = read.any_admin || row.role == to_string(Role::admin) || row.role == to_string(Role::operator_);
    if (!row.revoked_at.empty()) {
      continue;
    }
    const auto hash = read_hash(row.hash);
    const auto key = hash ? read_key(row) : std::unexpected(not_understood("hash"));
    if (!key) {
      read.unusable.push_back(fmt::format("{}: {}", row.id, key.error().message));
      continue;
    }
    read.entries.push_back({.hash = *hash, .key = *key});
    if (row.previous_hash.empty()) {
      continue;
    }
    const auto previous = read_hash(row.previous_hash);
    const auto until = observe::parse_rfc3339(row.previous_expires_at);
    if (previous && until) {
      read.entries.push_back({.hash = *previous, .key = *key, .until = *until});
    } else {
      read.unusable.push_back(fmt::format("{}: what it was before its rotation cannot be understood", row.id));
    }
  }
}

}  // namespace weir::auth
