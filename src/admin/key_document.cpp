#include "admin/key_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "admin/call_query.hpp"
#include "admin/configured_keys.hpp"
#include "admin/document_members.hpp"
#include "auth/key_text.hpp"
#include "observe/json_time.hpp"
#include "platform/address.hpp"
#include "settings/json_members.hpp"
#include "settings/nearest.hpp"
#include "settings/units.hpp"

namespace weir::admin {

namespace {

using text::JsonValue;

constexpr std::size_t name_bytes_max = 200;
constexpr auto overlap_default = std::chrono::hours(1);
constexpr auto overlap_max = std::chrono::hours(24 * 90);
constexpr std::array<std::string_view, 4> roles = {"user", "operator", "admin", "bootstrap"};
constexpr std::array<std::string_view, 11> set_by_weir = {"id",           "object",     "key",
                                                          "prefix",       "created_at", "updated_at",
                                                          "last_used_at", "revoked_at", "previous_key_expires_at",
                                                          "notices",      "source"};

std::string_view any_name(std::string_view) {
  return {};
}

std::string_view an_endpoint(std::string_view text) {
  return text.front() == '/' || text.front() == '*' ? "" : "write a path, /v1/embeddings, or a pattern of paths, /v1/*";
}

std::string_view a_network(std::string_view text) {
  return platform::parse_network(text) ? "" : "write an address, 192.0.2.7, or a network, 10.0.0.0/8";
}

Result<void> read_role(const JsonValue& value, std::string& role) {
  std::string word;
  if (auto read = read_text(value, "role", name_bytes_max, "user", word); !read) {
    return read;
  }
  if (const std::string wrong = wrong_role(word); !wrong.empty()) {
    return fail(Code::invalid_request, "role: " + wrong);
  }
  role = std::move(word);
  return {};
}

}  // namespace

std::string wrong_role(std::string_view word) {
  return std::ranges::find(roles, word) != roles.end()
             ? ""
             : fmt::format("there is no role \"{}\"; there are {}{}", word, fmt::join(roles, ", "),
                           settings::did_you_mean(word, {roles.begin(), roles.end()}));
}

store::ApiKey default_key() {
  store::ApiKey key;
  key.role = "user";
  key.tenant = "default";
  return key;
}

Result<void> read_key_document(std::string_view json, store::ApiKey& key) {
  if (auto valid = check_document(json); !valid) {
    return valid;
  }
  if (auto known = refuse_read_only(json, set_by_weir); !known) {
    return known;
  }
  const RuleTexts rules{.limits = &key.limits, .budgets = &key.budgets, .quotas = &key.quotas};
  const auto read = settings::read_members(
      json, "",
      {"label", "role", "tenant", "user", "active", "models", "endpoints", "limits", "budgets", "quotas", "expires_at",
       "ip_allow", "metadata"},
      [&](std::string_view name, const JsonValue& value) -> Result<void> {
        if (name == "label") {
          auto given = read_text(value, name, name_bytes_max, "", key.label);
          if (given && auth::is_reserved_label(key.label)) {
            return fail(Code::invalid_request,
                        "label: weir-probe and what begins with config: are names of weir's own; choose another one");
          }
          return given;
        }
        if (name == "role") {
          return read_role(value, key.role);
        }
        if (name == "tenant") {
          auto given = read_text(value, name, name_bytes_max, "default", key.tenant);
          return given && key.tenant.empty() ? fail(Code::invalid_request, "tenant is empty") : given;
        }
        if (name == "user") {
          return read_name_or_null(value, name, name_bytes_max, key.user);
        }
        if (name == "active") {
          return read_flag(value, name, true, key.active);
        }
        if (name == "models") {
          return read_list(value, name, R"(["*"])", any_name, key.models);
        }
        if (name == "endpoints") {
          return read_list(value, name, R"(["*"])", an_endpoint, key.endpoints);
        }
        if (name == "ip_allow") {
          return read_list(value, name, "[]", a_network, key.ip_allow);
        }
        if (name == "expires_at") {
          return read_moment(value, name, key.expires_at, key.expires_at_written);
        }
        if (name == "metadata") {
          return read_object(value, name, key.metadata);
        }
        return read_rules(name, value, rules);
      });
  return read ? check_rules(rules) : read;
}

Result<std::chrono::milliseconds> read_rotation(std::string_view json) {
  std::chrono::milliseconds overlap = overlap_default;
  if (json.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return overlap;
  }
  if (auto valid = check_document(json); !valid) {
    return std::unexpected(std::move(valid.error()));
  }
  const auto read =
      settings::read_members(json, "", {"overlap"}, [&](std::string_view name, const JsonValue& value) -> Result<void> {
        const bool text = value.kind == text::JsonKind::string;
        const auto given =
            settings::parse_duration(text ? text::unescape_lossy(value.string_raw()) : std::string(value.raw));
        if (!given || *given > overlap_max) {
          return fail(Code::invalid_request,
                      fmt::format("{} is no span of time up to 90d, for example 1h; 0 ends the old key at once", name));
        }
        overlap = *given;
        return {};
      });
  return read ? Result<std::chrono::milliseconds>(overlap) : std::unexpected(read.error());
}

std::string open_key_json(const store::ApiKey& key) {
  std::string out = "{";
  append_text(out, "id", key.id);
  append_text(out, "object", "key");
  append_text(out, "source", key.id.starts_with(configured_key_prefix) ? "config" : "store");
  append_string(out, "label", key.label);
  append_string(out, "role", key.role);
  append_string(out, "tenant", key.tenant);
  append_text(out, "user", key.user);
  append_raw(out, "active", key.active ? "true" : "false");
  append_string(out, "prefix", key.prefix);
  append_raw(out, "models", key.models);
  append_raw(out, "endpoints", key.endpoints);
  append_raw(out, "limits", key.limits);
  append_raw(out, "budgets", key.budgets);
  append_raw(out, "quotas", key.quotas);
  // Who changes the row itself, as an older weir does that shares it, changes no words.
  if (const auto written = parse_time(key.expires_at_written);
      written && observe::rfc3339(*written) == key.expires_at) {
    append_text(out, "expires_at", key.expires_at_written);
  } else {
    append_moment(out, "expires_at", key.expires_at);
  }
  append_raw(out, "ip_allow", key.ip_allow);
  append_raw(out, "metadata", key.metadata);
  append_moment(out, "created_at", key.created_at);
  append_moment(out, "updated_at", key.updated_at);
  append_moment(out, "last_used_at", key.last_used_at);
  append_moment(out, "previous_key_expires_at", key.previous_expires_at);
  append_moment(out, "revoked_at", key.revoked_at);
  out.pop_back();  // the comma
  return out;
}

}  // namespace weir::admin
