#include <boost/json.hpp>

#include "app/admin_command.hpp"
#include "app/commands.hpp"

namespace weir::app {

namespace json = boost::json;

namespace {

/// The members that a change set to something else: "label, limits".
std::string changed_by(const json::object& entry) {
  const json::value* before = entry.if_contains("before");
  const json::value* after = entry.if_contains("after");
  if (before == nullptr || after == nullptr || !before->is_object() || !after->is_object()) {
    return "";
  }
  std::string names;
  for (const auto& [name, value] : after->get_object()) {
    const json::value* old = before->get_object().if_contains(name);
    if (name != "updated_at" && (old == nullptr || *old != value)) {
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
  }
  return names;
}

}  // namespace

int audit(const AuditOptions& options) {
  std::string path = "/admin/v1/audit";
  add_parameter(path, "actor", options.actor);
  add_parameter(path, "action", options.action);
  add_parameter(path, "object", options.object);
  add_parameter(path, "object_id", options.object_id);
  add_parameter(path, "from", options.from);
  add_parameter(path, "to", options.to);
  add_parameter(path, "after", options.after);
  add_parameter(path, "limit", std::to_string(options.limit));
  const auto body = ask_as_command("audit", options.url, http::Method::get, path);
  return body ? print_list("audit", *body, options.json,
                           {"TIME", "ACTOR", "KEY", "FROM", "ACTION", "OBJECT", "ID", "CHANGED", "REQUEST"},
                           [](const json::object& entry) -> std::vector<std::string> {
                             return {cell(entry, "time"),      cell(entry, "actor"),  cell(entry, "actor_key_id"),
                                     cell(entry, "address"),   cell(entry, "action"), cell(entry, "object"),
                                     cell(entry, "object_id"), changed_by(entry),     cell(entry, "request_id")};
                           })
              : 1;
}

}  // namespace weir::app
