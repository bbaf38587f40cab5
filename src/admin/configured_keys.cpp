#include "admin/configured_keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "auth/key_rules.hpp"
#include "observe/json_time.hpp"
#include "text/json_value.hpp"

namespace weir::admin {

namespace {

std::string texts_json(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    out += out.size() > 1 ? "," : "";
    text::append_json_string(out, text);
  }
  return out + "]";
}

std::string network_text(const platform::IpNetwork& network) {
  constexpr unsigned all_bits = 128;
  const unsigned mapped_bits = network.address.is_v4() ? 96 : 0;
  const std::string address = platform::to_string(network.address);
  return network.bits == all_bits ? address : fmt::format("{}/{}", address, network.bits - mapped_bits);
}

bool asked_for(const store::KeyQuery& query, const store::ApiKey& key) {
  const auto same = [](const std::string& wanted, const std::string& is) { return wanted.empty() || wanted == is; };
  return same(query.tenant, key.tenant) && same(query.user, key.user) && same(query.label, key.label) &&
         same(query.role, key.role) && (!query.active || *query.active == key.active) &&
         (query.after.empty() || key.id < query.after);
}

}  // namespace

store::ApiKey row_of_configured(const auth::Key& key) {
  store::ApiKey row;
  row.id = key.id;
  row.label = key.label;
  row.role = auth::to_string(key.role);
  row.tenant = key.tenant;
  row.user = key.user;
  row.active = key.active;
  row.models = texts_json(key.models);
  row.endpoints = texts_json(key.endpoints);
  std::vector<std::string> networks;
  for (const platform::IpNetwork& network : key.ip_allow) {
    networks.push_back(network_text(network));
  }
  row.ip_allow = texts_json(networks);
  if (key.rules != nullptr) {
    row.limits = key.rules->limits_as_written.empty() ? "{}" : key.rules->limits_as_written;
    row.budgets = ledger::budgets_to_json(key.rules->budgets);
    row.quotas = ledger::quotas_to_json(key.rules->budgets);
  }
  row.expires_at = key.expires_at ? observe::rfc3339(*key.expires_at) : "";
  return row;
}

void add_configured(std::vector<store::ApiKey>& page, const store::KeyQuery& query,
                    const std::vector<store::ApiKey>& configured) {
  for (const store::ApiKey& key : configured) {
    if (page.size() < static_cast<std::size_t>(std::max(query.limit, 0)) && asked_for(query, key)) {
      page.push_back(key);
    }
  }
}

std::optional<store::ApiKey> find_configured(const std::vector<store::ApiKey>& configured, std::string_view id) {
  const auto found = std::ranges::find(configured, id, &store::ApiKey::id);
  return found == configured.end() ? std::nullopt : std::optional(*found);
}

std::optional<Error> refuse_configured(const std::vector<store::ApiKey>& configured, std::string_view id) {
  const auto key = find_configured(configured, id);
  if (!key) {
    return std::nullopt;
  }
  const bool admin = key->role == auth::to_string(auth::Role::bootstrap);
  return Error{
      .code = Code::conflict,
      .message = fmt::format(
          "The key `{}` stands in the configuration ({}): change it there, and have it read with `weir reload`.", id,
          admin ? "WEIR_ADMIN_KEY or auth.admin_key" : "auth.keys")};
}

}  // namespace weir::admin
