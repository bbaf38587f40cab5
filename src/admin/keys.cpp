#include "admin/keys.hpp"

#include <array>

#include "admin/configured_keys.hpp"
#include "admin/document_members.hpp"
#include "admin/identity_replies.hpp"
#include "admin/key_document.hpp"
#include "admin/query_parameters.hpp"
#include "admin/substitute_notices.hpp"
#include "api/reply.hpp"
#include "base/ids.hpp"

namespace weir::admin {

namespace {

std::string new_id(platform::Loop& loop) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(loop.wall_now()).time_since_epoch();
  const std::uint64_t high = loop.random().next();
  const std::string id = make_request_id(static_cast<std::uint64_t>(now.count()), high, loop.random().next());
  return "key_" + id.substr(std::string_view("req_").size());
}

/// What whoever made or changed the key should know, first of its tenant.
std::vector<std::string> notices_of(const store::ApiKey& key, const std::string& about_tenant,
                                    const routing::ModelTable& models) {
  auto notices = notices_about_substitutes(key.budgets, key.quotas, models);
  if (!about_tenant.empty()) {
    notices.insert(notices.begin(), about_tenant);
  }
  return notices;
}

Task<void> create(api::ApiRequest& request, Identities& identities) {
  store::ApiKey key = default_key();
  if (const auto read = read_key_document(request.http.body, key); !read) {
    co_await reply_refusal(request, read.error());
    co_return;
  }
  const auto made = identities.make_key();
  if (!made) {
    co_await api::reply_error(request, made.error());
    co_return;
  }
  key.id = new_id(request.core.loop);
  key.hash = made->mark.hash;
  key.prefix = made->mark.prefix;
  std::string secret;
  append_string(secret, "key", made->text.reveal());
  secret.pop_back();  // the comma
  const auto body = co_await ask(request, identities,
                                 [actor = actor_of(request), key = std::move(key), secret = std::move(secret),
                                  tenants = identities.configured_tenants(), lasting = identities.lasting(),
                                  models = request.core.snapshot->models](store::Store& store) -> Result<std::string> {
                                   const auto created = create_key(store, actor, key, tenants);
                                   const auto notice = created ? notice_about_tenant(store, created->tenant, tenants)
                                                               : std::unexpected(created.error());
                                   if (!notice) {
                                     return notice;
                                   }
                                   auto notices = notices_of(*created, *notice, models);
                                   if (!lasting) {
                                     notices.emplace_back(not_lasting);
                                   }
                                   return close_with(open_key_json(*created) + "," + secret, notices);
                                 });
  co_await reply_changed(request, identities, 201, body);
}

bool is_key_cursor(std::string_view text) {
  return is_id(text, "key_") || text.starts_with(configured_key_prefix);
}

Result<store::KeyQuery> read_key_query(std::string_view query) {
  store::KeyQuery read;
  for (const auto& [name, into] : {std::pair{std::string_view("tenant"), &read.tenant},
                                   {"user", &read.user},
                                   {"label", &read.label},
                                   {"role", &read.role}}) {
    auto text = parameter(query, name);
    if (!text) {
      return std::unexpected(std::move(text.error()));
    }
    *into = std::move(*text);
  }
  if (const std::string wrong = read.role.empty() ? "" : wrong_role(read.role); !wrong.empty()) {
    return fail(Code::invalid_request, "`role`: " + wrong);
  }
  auto after = read_after(query, is_key_cursor);
  if (!after) {
    return std::unexpected(std::move(after.error()));
  }
  read.after = std::move(*after);
  const auto active = read_flag_parameter(query, "active");
  const auto revoked = read_flag_parameter(query, "revoked");
  const auto limit = read_limit(query);
  if (!active || !revoked || !limit) {
    return std::unexpected(!active ? active.error() : !revoked ? revoked.error() : limit.error());
  }
  read.active = *active;
  read.revoked = revoked->value_or(false);
  read.limit = *limit;
  return read;
}

Task<void> list(api::ApiRequest& request, Identities& identities) {
  auto query = read_key_query(request.http.head.target.query);
  if (!query) {
    co_await reply_refusal(request, query.error());
    co_return;
  }
  const auto body =
      co_await ask(request, identities,
                   [query = *std::move(query),
                    configured = identities.configured()](store::Store& store) mutable -> Result<std::string> {
                     const int limit = query.limit++;
                     auto rows = store.keys().list(query);
                     if (!rows) {
                       return std::unexpected(std::move(rows.error()));
                     }
                     add_configured(*rows, query, configured);
                     return list_of(*rows, limit, key_to_json, [](const store::ApiKey& key) { return key.id; });
                   });
  co_await reply_read(request, body);
}

Task<void> show(api::ApiRequest& request, Identities& identities) {
  if (const auto key = find_configured(identities.configured(), id_in(request))) {
    co_await api::reply_json(request, 200, key_to_json(*key));
    co_return;
  }
  const auto body =
      co_await ask(request, identities, [id = id_in(request)](store::Store& store) -> Result<std::string> {
        const auto key = find_key(store, id);
        return key ? Result<std::string>(key_to_json(*key)) : std::unexpected(key.error());
      });
  co_await reply_read(request, body);
}

/// True: the key is one of the configuration, and the reply says so.
Task<bool> refused_as_configured(api::ApiRequest& request, Identities& identities) {
  const auto refusal = refuse_configured(identities.configured(), id_in(request));
  if (refusal) {
    co_await api::reply_error(request, *refusal);
  }
  co_return refusal.has_value();
}

Task<void> change(api::ApiRequest& request, Identities& identities) {
  if (co_await refused_as_configured(request, identities)) {
    co_return;
  }
  const auto body = co_await ask(
      request, identities,
      [actor = actor_of(request), id = id_in(request), tenants = identities.configured_tenants(),
       models = request.core.snapshot->models,
       document = std::string(request.http.body)](store::Store& store) -> Result<std::string> {
        const auto key = change_key(store, actor, id, document, tenants);
        const auto notice = key ? notice_about_tenant(store, key->tenant, tenants) : std::unexpected(key.error());
        if (!notice) {
          return notice;
        }
        return close_with(open_key_json(*key), notices_of(*key, *notice, models));
      });
  co_await reply_changed(request, identities, 200, body);
}

Task<void> rotate(api::ApiRequest& request, Identities& identities) {
  if (co_await refused_as_configured(request, identities)) {
    co_return;
  }
  const auto overlap = read_rotation(request.http.body);
  if (!overlap) {
    co_await reply_refusal(request, overlap.error());
    co_return;
  }
  const auto made = identities.make_key();
  if (!made) {
    co_await api::reply_error(request, made.error());
    co_return;
  }
  std::string secret;
  append_string(secret, "key", made->text.reveal());
  secret.back() = '}';  // the comma
  const auto body = co_await ask(request, identities,
                                 [actor = actor_of(request), id = id_in(request), mark = made->mark, overlap = *overlap,
                                  secret = std::move(secret)](store::Store& store) -> Result<std::string> {
                                   const auto key = rotate_key(store, actor, id, mark, overlap);
                                   return key ? Result<std::string>(open_key_json(*key) + "," + secret)
                                              : std::unexpected(key.error());
                                 });
  co_await reply_changed(request, identities, 200, body);
}

Task<void> revoke(api::ApiRequest& request, Identities& identities) {
  if (co_await refused_as_configured(request, identities)) {
    co_return;
  }
  const auto body =
      co_await ask(request, identities,
                   [actor = actor_of(request), id = id_in(request)](store::Store& store) -> Result<std::string> {
                     const auto key = revoke_key(store, actor, id);
                     return key ? Result<std::string>(key_to_json(*key)) : std::unexpected(key.error());
                   });
  co_await reply_changed(request, identities, 200, body);
}

}  // namespace

void add_key_endpoints(api::Registry& registry, Identities* const& identities) {
  static constexpr std::array<std::string_view, 8> filters = {"tenant", "user",    "label", "role",
                                                              "active", "revoked", "limit", "after"};
  // What has more behind its {id} stands before what has nothing.
  add_endpoints(registry, identities,
                {{"POST", "/admin/v1/keys", create, "Makes a caller key; its text is shown in this reply alone."},
                 {"GET", "/admin/v1/keys", list,
                  "Caller keys, the newest first, those of the configuration last: "
                  "`?tenant=&user=&label=&role=&active=&revoked=&limit=&after=`.",
                  filters},
                 {"POST", "/admin/v1/keys/{id}/rotate", rotate,
                  R"(A new text for a key; the one before opens for an hour more, or as `{"overlap":"10m"}` says.)"},
                 {"GET", "/admin/v1/keys/{id}", show, "A caller key, without its text."},
                 {"PATCH", "/admin/v1/keys/{id}", change, "Changes the members that are sent; null is the default."},
                 {"DELETE", "/admin/v1/keys/{id}", revoke, "Revokes a key: dead at once, and for good."}});
}

}  // namespace weir::admin
