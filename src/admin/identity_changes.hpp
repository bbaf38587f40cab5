#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/store.hpp"

/// Changes of keys and tenants, each with its line in the audit log, all or nothing. On the store's thread. Errors:
/// not_found, invalid_request, conflict, store_unavailable; nothing is changed then.
namespace weir::admin {

/// Who changes something, and when.
struct Actor {
  std::string label;  // of the key; "local" where none was asked for
  std::string key_id;
  std::string role;
  std::string address;
  std::string request_id;
  platform::WallTime now;
};

/// What is kept of a new key: its text is known to the caller alone.
struct KeyMark {
  std::string hash;
  std::string prefix;
};

/// A line of the audit log about a change. `before` and `after`: JSON; empty where there was or is nothing.
struct AuditNote {
  std::string action;
  std::string object;
  std::string object_id;
  std::string before;
  std::string after;
};
Result<void> write_down(store::Store& store, const Actor& actor, AuditNote note);

Result<store::ApiKey> find_key(store::Store& store, std::string_view id);
Result<store::Tenant> find_tenant(store::Store& store, std::string_view id);

/// The tenants of the configuration, each with its parent or "": they hold in the place of the store's of their name,
/// and others may belong to them.
using ConfiguredTenants = std::map<std::string, std::string, std::less<>>;

/// A key may name a tenant that is not there yet, where it could be made here.
Result<store::ApiKey> create_key(store::Store& store, const Actor& actor, store::ApiKey key,
                                 const ConfiguredTenants& configured = {});
Result<store::ApiKey> change_key(store::Store& store, const Actor& actor, std::string_view id,
                                 std::string_view document, const ConfiguredTenants& configured = {});
/// The key that was goes on opening for `overlap`. One that an earlier rotation left is over at once.
Result<store::ApiKey> rotate_key(store::Store& store, const Actor& actor, std::string_view id, const KeyMark& mark,
                                 std::chrono::milliseconds overlap);
/// Its row stays. A key that was revoked before stays as it is.
Result<store::ApiKey> revoke_key(store::Store& store, const Actor& actor, std::string_view id);

Result<store::Tenant> create_tenant(store::Store& store, const Actor& actor, store::Tenant tenant,
                                    const ConfiguredTenants& configured = {});
Result<store::Tenant> change_tenant(store::Store& store, const Actor& actor, std::string_view id,
                                    std::string_view document, const ConfiguredTenants& configured = {});
/// Refused while keys that are not revoked or other tenants belong to it.
Result<store::Tenant> remove_tenant(store::Store& store, const Actor& actor, std::string_view id);

/// `result`, and where there was no such tenant in the store but the configuration has it, `code` with where it stands.
Result<store::Tenant> or_configured(Result<store::Tenant> result, std::string_view id,
                                    const ConfiguredTenants& configured, Code code);

/// What whoever names `tenant` should know: that there is none of that name yet, and which was meant. Empty: nothing.
Result<std::string> notice_about_tenant(store::Store& store, std::string_view tenant,
                                        const ConfiguredTenants& configured = {});

/// An entry of the audit log as the admin API shows it.
[[nodiscard]] std::string audit_to_json(const store::AuditEntry& entry);

}  // namespace weir::admin
