#pragma once

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "admin/document_members.hpp"
#include "admin/identities.hpp"
#include "api/registry.hpp"

/// What the endpoints of keys, tenants and the audit log have in common.
namespace weir::admin {

inline constexpr std::string_view not_lasting = "Nothing is stored (`store.url` is none): this is gone when weir ends.";

/// Who asks.
[[nodiscard]] Actor actor_of(const api::ApiRequest& request);
/// The id in the path, as it is meant; empty where it is none.
[[nodiscard]] std::string id_in(const api::ApiRequest& request);

/// A question to the store that gives the reply's body.
using Question = std::move_only_function<Result<std::string>(store::Store&)>;
Task<Result<std::string>> ask(api::ApiRequest& request, Identities& identities, Question question);

/// An error about a document or a query names the member or parameter at fault, as OpenAI's errors do.
Task<void> reply_refusal(api::ApiRequest& request, const Error& error);
Task<void> reply_read(api::ApiRequest& request, const Result<std::string>& body);
/// The reply to a change, once it is in force everywhere.
Task<void> reply_changed(api::ApiRequest& request, Identities& identities, int status, const Result<std::string>& body);

/// The body of a list: `rows` hold one more than `limit` where there are more.
template <class Row, class Write, class Cursor>
std::string list_of(const std::vector<Row>& rows, int limit, const Write& write, const Cursor& cursor) {
  const std::size_t shown = std::min(rows.size(), static_cast<std::size_t>(limit));
  std::string body = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < shown; ++i) {
    body += i == 0 ? "" : ",";
    body += write(rows[i]);
  }
  body += "],";
  append_text(body, "next", shown < rows.size() ? cursor(rows[shown - 1]) : std::string());
  body.back() = '}';  // the comma
  return body;
}

/// Writes down what was done and is in force whatever becomes of this: where the store does not take the line soon, the
/// log has it. `identities` may be null.
Task<void> note_done(api::ApiRequest& request, Identities* identities, AuditNote note);

/// Ends an open object, with `notices` where there are any.
[[nodiscard]] std::string close_with(std::string body, const std::vector<std::string>& notices);

struct IdentityEndpoint {
  std::string_view method;
  std::string_view path;
  Task<void> (*handler)(api::ApiRequest&, Identities&);
  std::string_view summary;
  std::span<const std::string_view> parameters{};
};
void add_endpoints(api::Registry& registry, Identities* const& identities,
                   std::initializer_list<IdentityEndpoint> endpoints);

}  // namespace weir::admin
