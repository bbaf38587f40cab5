#include "admin/identity_changes.hpp"

#include <fmt/format.h>

#include <optional>

#include "admin/document_members.hpp"
#include "admin/key_document.hpp"
#include "admin/tenant_document.hpp"
#include "gateway/allowances.hpp"
#include "observe/json_time.hpp"
#include "settings/nearest.hpp"

namespace weir::admin {

namespace {

constexpr int depth_max = static_cast<int>(gateway::Allowances::tenant_depth_max);
constexpr int tenants_looked_at = 10'000;

/// Does `work` as one step of the store, and gives what it gave.
template <class Row>
Result<Row> as_one_step(store::Store& store, const std::function<Result<Row>()>& work) {
  std::optional<Row> changed;
  auto done = store.atomically([&]() -> Result<void> {
    auto result = work();
    if (!result) {
      return std::unexpected(std::move(result.error()));
    }
    changed = std::move(*result);
    return {};
  });
  if (!done) {
    return std::unexpected(std::move(done.error()));
  }
  return std::move(*changed);
}

Result<void> note(store::Store& store, const Actor& actor, std::string_view action, std::string_view object,
                  std::string_view id, std::string before, std::string after) {
  return write_down(store, actor,
                    {.action = std::string(action),
                     .object = std::string(object),
                     .object_id = std::string(id),
                     .before = std::move(before),
                     .after = std::move(after)});
}

std::unexpected<Error> no_such(std::string_view what, std::string_view id) {
  return fail(Code::not_found, fmt::format("There is no {0} `{1}`. GET /admin/v1/{0}s lists them.", what, id));
}

/// What a read-only question or a change says, where it went well and was about a row.
template <class Row>
Result<Row> there(Result<std::optional<Row>> found, std::string_view what, std::string_view id) {
  if (!found) {
    return std::unexpected(std::move(found.error()));
  }
  if (!*found) {
    return no_such(what, id);
  }
  return std::move(**found);
}

}  // namespace

Result<void> write_down(store::Store& store, const Actor& actor, AuditNote note) {
  return store.audit().add({.time = observe::rfc3339(actor.now),
                            .actor = actor.label,
                            .actor_key_id = actor.key_id,
                            .actor_role = actor.role,
                            .address = actor.address,
                            .request_id = actor.request_id,
                            .action = std::move(note.action),
                            .object = std::move(note.object),
                            .object_id = std::move(note.object_id),
                            .before = std::move(note.before),
                            .after = std::move(note.after)});
}

Result<store::ApiKey> find_key(store::Store& store, std::string_view id) {
  return there(store.keys().find(id), "key", id);
}

Result<store::Tenant> find_tenant(store::Store& store, std::string_view id) {
  return there(store.tenants().find(id), "tenant", id);
}

namespace {

Result<store::ApiKey> live_key(store::Store& store, std::string_view id) {
  auto key = find_key(store, id);
  if (key && !key->revoked_at.empty()) {
    return fail(Code::conflict,
                fmt::format("The key `{}` was revoked at {}, which is for good: make a new one.", id, key->revoked_at));
  }
  return key;
}

/// Writes `key` in the place of `before`, where it is another, with a line about it.
Result<store::ApiKey> replace_key(store::Store& store, const Actor& actor, std::string_view action,
                                  const store::ApiKey& before, store::ApiKey key) {
  if (key == before) {
    return key;
  }
  key.updated_at = observe::rfc3339(actor.now);
  if (const auto updated = store.keys().update(key); !updated) {
    return std::unexpected(updated.error());
  }
  if (auto noted = note(store, actor, action, "key", key.id, key_to_json(before), key_to_json(key)); !noted) {
    return std::unexpected(std::move(noted.error()));
  }
  return key;
}

/// The ids of all tenants, as far as it makes sense to look for a slip of the hand among them.
Result<std::vector<std::string>> tenant_ids(store::Store& store, const ConfiguredTenants& configured) {
  const auto all = store.tenants().list({.parent = "", .after = "", .limit = tenants_looked_at});
  if (!all) {
    return std::unexpected(all.error());
  }
  std::vector<std::string> ids;
  for (const store::Tenant& tenant : *all) {
    ids.push_back(tenant.id);
  }
  for (const auto& [name, parent] : configured) {
    ids.push_back(name);
  }
  return ids;
}

/// Whether a key may name this tenant: what is none, and can never be made one, is a slip of the hand.
Result<void> check_named(std::string_view tenant, const ConfiguredTenants& configured) {
  return is_tenant_id(tenant) || configured.contains(tenant)
             ? Result<void>()
             : fail(Code::invalid_request,
                    fmt::format("tenant: \"{}\" is no tenant of the configuration, and none that could be made: their "
                                "ids are letters, digits, dots, dashes and underscores, up to 100",
                                tenant));
}

/// How many levels are below the tenant, itself included.
Result<int> height_of(store::Store& store, const std::string& id, int most) {
  const auto children = store.tenants().list({.parent = id, .after = "", .limit = tenants_looked_at});
  if (!children) {
    return std::unexpected(children.error());
  }
  int highest = 0;
  for (const store::Tenant& child : *children) {
    const auto height = most > 1 ? height_of(store, child.id, most - 1) : Result<int>(1);
    if (!height) {
      return height;
    }
    highest = std::max(highest, *height);
  }
  return highest + 1;
}

/// Whether the tenant may stand below the parent that it names.
Result<void> check_place(store::Store& store, const store::Tenant& tenant, const ConfiguredTenants& configured) {
  const auto height = height_of(store, tenant.id, depth_max + 1);
  if (!height) {
    return std::unexpected(height.error());
  }
  int depth = *height;
  for (std::string above = tenant.parent; !above.empty(); ++depth) {
    if (above == tenant.id) {
      return fail(Code::invalid_request, fmt::format("parent: `{}` belongs to `{}` itself", tenant.parent, tenant.id));
    }
    if (depth >= depth_max) {
      return fail(Code::invalid_request, fmt::format("parent: tenants may stand {} deep, no deeper", depth_max));
    }
    if (const auto fixed = configured.find(above); fixed != configured.end()) {
      above = fixed->second;
      continue;
    }
    auto parent = store.tenants().find(above);
    if (!parent) {
      return std::unexpected(std::move(parent.error()));
    }
    if (!*parent) {
      const auto ids = tenant_ids(store, configured);
      return fail(Code::invalid_request, fmt::format("parent: there is no tenant `{}`{}", above,
                                                     ids ? settings::did_you_mean(above, *ids) : std::string()));
    }
    above = (*parent)->parent;
  }
  return {};
}

}  // namespace

Result<store::ApiKey> create_key(store::Store& store, const Actor& actor, store::ApiKey key,
                                 const ConfiguredTenants& configured) {
  return as_one_step<store::ApiKey>(store, [&]() -> Result<store::ApiKey> {
    if (auto nameable = check_named(key.tenant, configured); !nameable) {
      return std::unexpected(std::move(nameable.error()));
    }
    key.created_at = key.updated_at = observe::rfc3339(actor.now);
    const auto added = store.keys().add(key);
    if (!added) {
      return std::unexpected(added.error());
    }
    if (!*added) {
      return fail(Code::internal, "A key with this id is there already.");  // 80 random bits
    }
    if (auto noted = note(store, actor, "create", "key", key.id, "", key_to_json(key)); !noted) {
      return std::unexpected(std::move(noted.error()));
    }
    return key;
  });
}

Result<store::ApiKey> change_key(store::Store& store, const Actor& actor, std::string_view id,
                                 std::string_view document, const ConfiguredTenants& configured) {
  return as_one_step<store::ApiKey>(store, [&]() -> Result<store::ApiKey> {
    const auto before = live_key(store, id);
    if (!before) {
      return before;
    }
    store::ApiKey key = *before;
    if (auto read = read_key_document(document, key); !read) {
      return std::unexpected(std::move(read.error()));
    }
    // A tenant that the configuration had once may stay.
    if (auto nameable = check_named(key.tenant, configured); !nameable && key.tenant != before->tenant) {
      return std::unexpected(std::move(nameable.error()));
    }
    return replace_key(store, actor, "update", *before, std::move(key));
  });
}

Result<store::ApiKey> rotate_key(store::Store& store, const Actor& actor, std::string_view id, const KeyMark& mark,
                                 std::chrono::milliseconds overlap) {
  return as_one_step<store::ApiKey>(store, [&]() -> Result<store::ApiKey> {
    const auto before = live_key(store, id);
    if (!before) {
      return before;
    }
    store::ApiKey key = *before;
    const bool over_at_once = overlap.count() == 0;
    key.previous_hash = over_at_once ? "" : before->hash;
    key.previous_expires_at = over_at_once ? "" : observe::rfc3339(actor.now + overlap);
    key.hash = mark.hash;
    key.prefix = mark.prefix;
    return replace_key(store, actor, "rotate", *before, std::move(key));
  });
}

Result<store::ApiKey> revoke_key(store::Store& store, const Actor& actor, std::string_view id) {
  return as_one_step<store::ApiKey>(store, [&]() -> Result<store::ApiKey> {
    const auto before = find_key(store, id);
    if (!before || !before->revoked_at.empty()) {
      return before;
    }
    store::ApiKey key = *before;
    key.active = false;
    key.revoked_at = observe::rfc3339(actor.now);
    key.previous_hash.clear();
    key.previous_expires_at.clear();
    return replace_key(store, actor, "revoke", *before, std::move(key));
  });
}

Result<store::Tenant> create_tenant(store::Store& store, const Actor& actor, store::Tenant tenant,
                                    const ConfiguredTenants& configured) {
  return as_one_step<store::Tenant>(store, [&]() -> Result<store::Tenant> {
    tenant.created_at = tenant.updated_at = observe::rfc3339(actor.now);
    if (auto placed = check_place(store, tenant, configured); !placed) {
      return std::unexpected(std::move(placed.error()));
    }
    const auto added = store.tenants().add(tenant);
    if (!added) {
      return std::unexpected(added.error());
    }
    if (!*added) {
      return fail(Code::conflict,
                  fmt::format("There is a tenant `{0}` already: PATCH /admin/v1/tenants/{0} changes it.", tenant.id));
    }
    if (auto noted = note(store, actor, "create", "tenant", tenant.id, "", tenant_to_json(tenant)); !noted) {
      return std::unexpected(std::move(noted.error()));
    }
    return tenant;
  });
}

Result<store::Tenant> change_tenant(store::Store& store, const Actor& actor, std::string_view id,
                                    std::string_view document, const ConfiguredTenants& configured) {
  return as_one_step<store::Tenant>(store, [&]() -> Result<store::Tenant> {
    const auto before = find_tenant(store, id);
    if (!before) {
      return before;
    }
    store::Tenant tenant = *before;
    if (auto read = read_tenant_document(document, tenant); !read) {
      return std::unexpected(std::move(read.error()));
    }
    if (tenant == *before) {
      return tenant;
    }
    if (auto placed = check_place(store, tenant, configured); !placed) {
      return std::unexpected(std::move(placed.error()));
    }
    tenant.updated_at = observe::rfc3339(actor.now);
    if (const auto updated = store.tenants().update(tenant); !updated) {
      return std::unexpected(updated.error());
    }
    if (auto noted = note(store, actor, "update", "tenant", tenant.id, tenant_to_json(*before), tenant_to_json(tenant));
        !noted) {
      return std::unexpected(std::move(noted.error()));
    }
    return tenant;
  });
}

Result<store::Tenant> remove_tenant(store::Store& store, const Actor& actor, std::string_view id) {
  return as_one_step<store::Tenant>(store, [&]() -> Result<store::Tenant> {
    const auto tenant = find_tenant(store, id);
    if (!tenant) {
      return tenant;
    }
    store::KeyQuery query;
    query.tenant = tenant->id;
    query.limit = 1;
    const auto keys = store.keys().list(query);
    const auto children = store.tenants().list({.parent = tenant->id, .after = "", .limit = 1});
    if (!keys || !children) {
      return std::unexpected(keys ? children.error() : keys.error());
    }
    if (!keys->empty() || !children->empty()) {
      return fail(
          Code::conflict,
          keys->empty()
              ? fmt::format("The tenant `{}` is above `{}`: give that another parent first.", id, children->front().id)
              : fmt::format("Keys belong to the tenant `{0}`, for example `{1}`: revoke them or give them another "
                            "tenant first. GET /admin/v1/keys?tenant={0} lists them.",
                            id, keys->front().id));
    }
    if (const auto removed = store.tenants().remove(id); !removed) {
      return std::unexpected(removed.error());
    }
    if (auto noted = note(store, actor, "delete", "tenant", id, tenant_to_json(*tenant), ""); !noted) {
      return std::unexpected(std::move(noted.error()));
    }
    return tenant;
  });
}

Result<store::Tenant> or_configured(Result<store::Tenant> result, std::string_view id,
                                    const ConfiguredTenants& configured, Code code) {
  if (!result && result.error().code == Code::not_found && configured.contains(id)) {
    return fail(code,
                fmt::format("The tenant `{}` stands in the configuration (tenants), and not in the store: look at "
                            "it and change it there, and have it read with `weir reload`.",
                            id));
  }
  return result;
}

Result<std::string> notice_about_tenant(store::Store& store, std::string_view tenant,
                                        const ConfiguredTenants& configured) {
  if (tenant == "default" || configured.contains(tenant)) {
    return std::string();
  }
  const auto found = store.tenants().find(tenant);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (*found) {
    return std::string();
  }
  const auto ids = tenant_ids(store, configured);
  if (!ids) {
    return std::unexpected(ids.error());
  }
  return fmt::format(
      "There is no tenant `{}` yet: until POST /admin/v1/tenants makes it, it has no limits and budgets{}", tenant,
      settings::did_you_mean(tenant, *ids));
}

std::string audit_to_json(const store::AuditEntry& entry) {
  std::string out = "{";
  append_raw(out, "id", std::to_string(entry.id));
  append_text(out, "time", entry.time);
  append_text(out, "actor", entry.actor);
  append_text(out, "actor_key_id", entry.actor_key_id);
  append_text(out, "actor_role", entry.actor_role);
  append_text(out, "address", entry.address);
  append_text(out, "request_id", entry.request_id);
  append_text(out, "action", entry.action);
  append_text(out, "object", entry.object);
  append_text(out, "object_id", entry.object_id);
  append_raw(out, "before", entry.before.empty() ? "null" : entry.before);
  append_raw(out, "after", entry.after.empty() ? "null" : entry.after);
  out.back() = '}';  // the comma
  return out;
}

}  // namespace weir::admin
