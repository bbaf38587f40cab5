#include "admin/audit.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "admin/call_query.hpp"
#include "admin/identity_replies.hpp"
#include "admin/query_parameters.hpp"
#include "api/reply.hpp"
#include "observe/json_time.hpp"

namespace weir::admin {

namespace {

Result<store::AuditQuery> read_audit_query(std::string_view query) {
  store::AuditQuery read;
  std::string after;
  for (const auto& [name, into] : {std::pair{std::string_view("actor"), &read.actor},
                                   {"action", &read.action},
                                   {"object", &read.object},
                                   {"object_id", &read.object_id},
                                   {"from", &read.from},
                                   {"to", &read.to},
                                   {"after", &after}}) {
    auto text = parameter(query, name);
    if (!text) {
      return std::unexpected(std::move(text.error()));
    }
    *into = std::move(*text);
  }
  for (const auto& [name, time] : {std::pair{std::string_view("from"), &read.from}, {"to", &read.to}}) {
    const auto parsed = time->empty() ? std::nullopt : parse_time(*time);
    if (!time->empty() && !parsed) {
      return fail(Code::invalid_request,
                  fmt::format("`{}` is a day (2026-11-21) or a moment (2026-11-21T09:30:00Z).", name));
    }
    *time = parsed ? observe::rfc3339(*parsed) : std::string();
  }
  const auto [end, wrong] = std::from_chars(after.data(), after.data() + after.size(), read.after);
  if (!after.empty() && (wrong != std::errc() || end != after.data() + after.size() || read.after < 1)) {
    return fail(Code::invalid_request, "`after` is the `next` of the page before.");
  }
  const auto limit = read_limit(query);
  if (!limit) {
    return std::unexpected(limit.error());
  }
  read.limit = *limit;
  return read;
}

Task<void> list(api::ApiRequest& request, Identities& identities) {
  auto query = read_audit_query(request.http.head.target.query);
  if (!query) {
    co_await reply_refusal(request, query.error());
    co_return;
  }
  const auto body = co_await ask(
      request, identities, [query = *std::move(query)](store::Store& store) mutable -> Result<std::string> {
        const int limit = query.limit++;
        const auto rows = store.audit().list(query);
        if (!rows) {
          return std::unexpected(rows.error());
        }
        return list_of(*rows, limit, audit_to_json,
                       [](const store::AuditEntry& entry) { return std::to_string(entry.id); });
      });
  co_await reply_read(request, body);
}

}  // namespace

void add_audit_endpoint(api::Registry& registry, Identities* const& identities) {
  static constexpr std::array<std::string_view, 8> filters = {"actor", "action", "object", "object_id",
                                                              "from",  "to",     "limit",  "after"};
  add_endpoints(registry, identities,
                {{"GET", "/admin/v1/audit", list,
                  "Who changed what, the newest first: "
                  "`?actor=&action=&object=&object_id=&from=&to=&limit=&after=`.",
                  filters}});
}

}  // namespace weir::admin
