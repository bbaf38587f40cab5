#include "admin/identity_replies.hpp"

#include <fmt/format.h>

#include "api/reply.hpp"
#include "dialects/openai/errors.hpp"
#include "http/target.hpp"

namespace weir::admin {

namespace {

constexpr auto patience = std::chrono::seconds(10);  // with the store

platform::Until until(api::ApiRequest& request) {
  return {request.core.loop.now() + patience, &request.end.cancellation};
}

/// Who may open every door with a key of his own making has to be an administrator.
bool may_change(const api::ApiRequest& request) {
  return request.endpoint.method == "GET" || request.principal.anonymous ||
         request.principal.role == auth::Role::admin || request.principal.role == auth::Role::bootstrap;
}

Task<void> answer(api::ApiRequest& request, Identities* identities,
                  Task<void> (*handler)(api::ApiRequest&, Identities&)) {
  if (identities == nullptr) {
    co_await api::reply_error(request,
                              {.code = Code::store_unavailable, .message = "This gateway keeps no keys and tenants."});
  } else if (!may_change(request)) {
    co_await api::reply_error(
        request, {.code = Code::forbidden,
                  .message = "Keys and tenants are changed with a key of the role admin; this one may look at them."});
  } else {
    co_await handler(request, *identities);
  }
}

}  // namespace

Actor actor_of(const api::ApiRequest& request) {
  const gateway::Principal& principal = request.principal;
  return {.label = principal.anonymous ? "local" : std::string(principal.key_label),
          .key_id = std::string(principal.key_id),
          .role = principal.anonymous ? "" : std::string(auth::to_string(principal.role)),
          .address = std::string(request.http.peer),
          .request_id = request.id,
          .now = request.core.loop.wall_now()};
}

std::string id_in(const api::ApiRequest& request) {
  std::string id;
  return http::percent_decode(request.rest, id) ? id : std::string();
}

Task<Result<std::string>> ask(api::ApiRequest& request, Identities& identities, Question question) {
  return store::ask<std::string>(identities.worker(), request.core.loop, std::move(question), until(request));
}

Task<void> reply_refusal(api::ApiRequest& request, const Error& error) {
  if (error.code != Code::invalid_request) {
    co_await api::reply_error(request, error);
    co_return;
  }
  const std::string body =
      openai::error_body(openai::RequestError{.message = error.message, .code = "", .param = path_in(error.message)});
  co_await api::reply_json(request, openai::request_error_status, body);
}

Task<void> reply_read(api::ApiRequest& request, const Result<std::string>& body) {
  if (!body) {
    co_await api::reply_error(request, body.error());
    co_return;
  }
  co_await api::reply_json(request, 200, *body);
}

Task<void> reply_changed(api::ApiRequest& request, Identities& identities, int status,
                         const Result<std::string>& body) {
  if (!body) {
    co_await reply_refusal(request, body.error());
    co_return;
  }
  if (const auto settled = co_await identities.settle(request.core.loop, until(request)); !settled) {
    co_await api::reply_error(
        request, {.code = Code::store_unavailable,
                  .message = "The change is kept, and will be in force as soon as the store can be read again: " +
                             settled.error().message});
    co_return;
  }
  co_await api::reply_json(request, status, *body);
}

Task<void> note_done(api::ApiRequest& request, Identities* identities, AuditNote note) {
  constexpr auto at_most = std::chrono::seconds(2);  // who opens a breaker has no time for a store that hangs
  const Actor actor = actor_of(request);
  const std::string done = fmt::format("{} {} {}", note.action, note.object, note.object_id);
  Result<std::string> noted = fail(Code::store_unavailable, "there is no store");
  if (identities != nullptr) {
    noted = co_await store::ask<std::string>(
        identities->worker(), request.core.loop,
        [actor, note = std::move(note)](store::Store& store) mutable -> Result<std::string> {
          const auto added = write_down(store, actor, std::move(note));
          return added ? Result<std::string>("") : std::unexpected(added.error());
        },
        {request.core.loop.now() + at_most, &request.end.cancellation});
  }
  if (!noted) {
    request.core.log.message(observe::Level::warn, "admin",
                             fmt::format("not in the audit log, as the store is away: {}, by {} ({}) from {}", done,
                                         actor.label, actor.key_id, actor.address));
  }
}

std::string close_with(std::string body, const std::vector<std::string>& notices) {
  if (!notices.empty()) {
    body += R"(,"notices":[)";
    for (std::size_t i = 0; i < notices.size(); ++i) {
      body += i == 0 ? "" : ",";
      text::append_json_string(body, notices[i]);
    }
    body += ']';
  }
  return body + '}';
}

void add_endpoints(api::Registry& registry, Identities* const& identities,
                   std::initializer_list<IdentityEndpoint> endpoints) {
  for (const IdentityEndpoint& endpoint : endpoints) {
    registry.add({.method = endpoint.method,
                  .path = endpoint.path,
                  .upstream_path = "",
                  .auth = gateway::AuthClass::admin,
                  .limits = gateway::LimitsClass::admin,
                  .summary = endpoint.summary,
                  .parameters = endpoint.parameters},
                 [&identities, handler = endpoint.handler](api::ApiRequest& request) {
                   return answer(request, identities, handler);
                 });
  }
}

}  // namespace weir::admin
