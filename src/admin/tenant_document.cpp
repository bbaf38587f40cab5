#include "admin/tenant_document.hpp"

#include <algorithm>
#include <array>

#include "admin/document_members.hpp"
#include "settings/json_members.hpp"

namespace weir::admin {

namespace {

using text::JsonValue;

constexpr std::size_t id_bytes_max = 100;
constexpr std::size_t name_bytes_max = 200;
constexpr std::array<std::string_view, 3> set_by_weir = {"object", "created_at", "updated_at"};

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

Result<void> check_id(std::string_view id) {
  return is_tenant_id(id)
             ? Result<void>()
             : fail(Code::invalid_request, "id has to be of letters, digits, dots, dashes and underscores, up to 100");
}

}  // namespace

bool is_tenant_id(std::string_view id) {
  return !id.empty() && id.size() <= id_bytes_max && std::ranges::all_of(id, is_plain);
}

std::string tenant_id_of(std::string_view name) {
  if (name.size() <= id_bytes_max && std::ranges::all_of(name, is_plain)) {
    return std::string(name);
  }
  std::string id;
  for (const char c : name.substr(0, id_bytes_max)) {
    if (is_plain(c)) {
      id += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  while (id.ends_with('-')) {
    id.pop_back();
  }
  return id;
}

Result<void> read_tenant_document(std::string_view json, store::Tenant& tenant) {
  if (auto valid = check_document(json); !valid) {
    return valid;
  }
  if (auto known = refuse_read_only(json, set_by_weir); !known) {
    return known;
  }
  const bool is_new = tenant.id.empty();
  const RuleTexts rules{.limits = &tenant.limits, .budgets = &tenant.budgets, .quotas = &tenant.quotas};
  auto read = settings::read_members(
      json, "", {"id", "name", "parent", "limits", "budgets", "quotas", "metadata"},
      [&](std::string_view name, const JsonValue& value) -> Result<void> {
        if (name == "id") {
          std::string id;
          auto given = read_text(value, name, id_bytes_max, "", id);
          if (given && !is_new && id != tenant.id) {
            return fail(Code::invalid_request, "id cannot be changed: keys and the ledger name the tenant by it");
          }
          if (given && is_new && value.kind != text::JsonKind::null) {
            given = check_id(id);
          }
          tenant.id = std::move(id);
          return given;
        }
        if (name == "name") {
          return read_name_or_null(value, name, name_bytes_max, tenant.name);
        }
        if (name == "parent") {
          return read_name_or_null(value, name, id_bytes_max, tenant.parent);
        }
        if (name == "metadata") {
          return read_object(value, name, tenant.metadata);
        }
        return read_rules(name, value, rules);
      });
  if (!read) {
    return read;
  }
  if (tenant.id.empty()) {
    tenant.id = tenant_id_of(tenant.name);
    if (tenant.id.empty()) {
      return fail(Code::invalid_request, "id is missing: say what keys name the tenant by, for example \"acme\"");
    }
  }
  if (tenant.name.empty()) {
    tenant.name = tenant.id;
  }
  return check_rules(rules);
}

std::string tenant_to_json(const store::Tenant& tenant) {
  std::string out = "{";
  append_text(out, "id", tenant.id);
  append_text(out, "object", "tenant");
  append_string(out, "name", tenant.name);
  append_text(out, "parent", tenant.parent);
  append_raw(out, "limits", tenant.limits);
  append_raw(out, "budgets", tenant.budgets);
  append_raw(out, "quotas", tenant.quotas);
  append_raw(out, "metadata", tenant.metadata);
  append_moment(out, "created_at", tenant.created_at);
  append_moment(out, "updated_at", tenant.updated_at);
  out.back() = '}';  // the comma
  return out;
}

}  // namespace weir::admin
