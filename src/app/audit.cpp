#include <fmt/format.h>

#include <boost/json.hpp>

#include "app/admin_command.hpp"
#include "app/commands.hpp"
#include "app/table.hpp"

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
  if (!body) {
    return 1;
  }
  if (options.json) {
    fmt::print("{}\n", *body);
    return 0;
  }
  const auto rows = rows_of(*body);
  if (!rows) {
    fmt::print(stderr, "weir audit: this is no list of changes: {}\n", *body);
    return 1;
  }
  std::vector<std::vector<std::string>> table = {
      {"TIME", "ACTOR", "KEY", "FROM", "ACTION", "OBJECT", "ID", "CHANGED", "REQUEST"}};
  for (const json::value& row : *rows) {
    if (row.is_object()) {
      const json::object& entry = row.get_object();
      table.push_back({cell(entry, "time"), cell(entry, "actor"), cell(entry, "actor_key_id"), cell(entry, "address"),
                       cell(entry, "action"), cell(entry, "object"), cell(entry, "object_id"), changed_by(entry),
                       cell(entry, "request_id")});
    }
  }
  fmt::print("{}", as_table(std::move(table)));
  boost::system::error_code failed;
  const json::value parsed = json::parse(*body, failed);
  if (const std::string next = failed || !parsed.is_object() ? "" : cell(parsed.get_object(), "next"); !next.empty()) {
    fmt::print(stderr, "There are more: --after {}\n", next);
  }
  return 0;
}

}  // namespace weir::app
