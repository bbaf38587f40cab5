#include "admin/tenants.hpp"

#include <fmt/format.h>

#include <array>

#include "admin/identity_replies.hpp"
#include "admin/query_parameters.hpp"
#include "admin/substitute_notices.hpp"
#include "admin/tenant_document.hpp"
#include "api/reply.hpp"

namespace weir::admin {

namespace {

/// A tenant as the reply to a change shows it, with what its maker should know.
std::string told(const store::Tenant& tenant, const ConfiguredTenants& configured, const routing::ModelTable& models,
                 bool lasting) {
  auto notices = notices_about_substitutes(tenant.budgets, tenant.quotas, models);
  if (configured.contains(tenant.id)) {
    notices.push_back(fmt::format(
        "The configuration has a tenant `{}`, which holds in the place of this one for as long as it is there",
        tenant.id));
  }
  if (!lasting) {
    notices.emplace_back(not_lasting);
  }
  std::string document = tenant_to_json(tenant);
  document.pop_back();  // it goes on
  return close_with(std::move(document), notices);
}

Task<void> create(api::ApiRequest& request, Identities& identities) {
  store::Tenant tenant;
  if (const auto read = read_tenant_document(request.http.body, tenant); !read) {
    co_await reply_refusal(request, read.error());
    co_return;
  }
  const auto body = co_await ask(request, identities,
                                 [actor = actor_of(request), tenant = std::move(tenant),
                                  tenants = identities.configured_tenants(), models = request.core.snapshot->models,
                                  lasting = identities.lasting()](store::Store& store) -> Result<std::string> {
                                   const auto created = create_tenant(store, actor, tenant, tenants);
                                   return created ? Result<std::string>(told(*created, tenants, models, lasting))
                                                  : std::unexpected(created.error());
                                 });
  co_await reply_changed(request, identities, 201, body);
}

Task<void> list(api::ApiRequest& request, Identities& identities) {
  const std::string_view query = request.http.head.target.query;
  const auto parent = parameter(query, "parent");
  const auto after = read_after(query, is_tenant_id);
  const auto limit = read_limit(query);
  if (!parent || !after || !limit) {
    co_await reply_refusal(request, !parent ? parent.error() : !after ? after.error() : limit.error());
    co_return;
  }
  const auto body = co_await ask(request, identities,
                                 [query = store::TenantQuery{.parent = *parent, .after = *after, .limit = *limit + 1},
                                  limit = *limit](store::Store& store) -> Result<std::string> {
                                   const auto rows = store.tenants().list(query);
                                   if (!rows) {
                                     return std::unexpected(rows.error());
                                   }
                                   return list_of(*rows, limit, tenant_to_json,
                                                  [](const store::Tenant& tenant) { return tenant.id; });
                                 });
  co_await reply_read(request, body);
}

Task<void> show(api::ApiRequest& request, Identities& identities) {
  const auto body = co_await ask(
      request, identities,
      [id = id_in(request), tenants = identities.configured_tenants()](store::Store& store) -> Result<std::string> {
        const auto tenant = or_configured(find_tenant(store, id), id, tenants, Code::not_found);
        return tenant ? Result<std::string>(tenant_to_json(*tenant)) : std::unexpected(tenant.error());
      });
  co_await reply_read(request, body);
}

Task<void> change(api::ApiRequest& request, Identities& identities) {
  const auto body = co_await ask(
      request, identities,
      [actor = actor_of(request), id = id_in(request), tenants = identities.configured_tenants(),
       models = request.core.snapshot->models,
       document = std::string(request.http.body)](store::Store& store) -> Result<std::string> {
        const auto tenant =
            or_configured(change_tenant(store, actor, id, document, tenants), id, tenants, Code::conflict);
        return tenant ? Result<std::string>(told(*tenant, tenants, models, true)) : std::unexpected(tenant.error());
      });
  co_await reply_changed(request, identities, 200, body);
}

Task<void> remove(api::ApiRequest& request, Identities& identities) {
  const auto body =
      co_await ask(request, identities,
                   [actor = actor_of(request), id = id_in(request),
                    tenants = identities.configured_tenants()](store::Store& store) -> Result<std::string> {
                     const auto tenant = or_configured(remove_tenant(store, actor, id), id, tenants, Code::conflict);
                     return tenant ? Result<std::string>(tenant_to_json(*tenant)) : std::unexpected(tenant.error());
                   });
  co_await reply_changed(request, identities, 200, body);
}

}  // namespace

void add_tenant_endpoints(api::Registry& registry, Identities* const& identities) {
  static constexpr std::array<std::string_view, 3> filters = {"parent", "limit", "after"};
  add_endpoints(
      registry, identities,
      {{"POST", "/admin/v1/tenants", create, "Makes a tenant."},
       {"GET", "/admin/v1/tenants", list, "Tenants by id: `?parent=&limit=&after=`.", filters},
       {"GET", "/admin/v1/tenants/{id}", show, "A tenant."},
       {"PATCH", "/admin/v1/tenants/{id}", change, "Changes the members that are sent; null is the default."},
       {"DELETE", "/admin/v1/tenants/{id}", remove, "Removes a tenant to which no keys and no tenants belong."}});
}

}  // namespace weir::admin
