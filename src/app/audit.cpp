#include "app/admin_command.hpp"
#include "app/commands.hpp"
#include "text/json_value.hpp"

namespace weir::app {

namespace {

/// The members that a change set to something else: "label, limits".
std::string changed_by(std::string_view entry) {
  const auto before = text::find_member(entry, "before");
  const auto after = text::find_member(entry, "after");
  if (!before || !after || before->kind != text::JsonKind::object || after->kind != text::JsonKind::object) {
    return "";
  }
  std::string names;
  text::for_each_member(after->raw, [&](const text::JsonMember& member) {
    const std::string name = text::unescape_lossy(member.key_raw);
    const auto old = text::find_member(before->raw, name);
    if (name != "updated_at" && (!old || old->raw != member.value.raw)) {
      names += (names.empty() ? "" : ", ") + name;
    }
  });
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
                           [](std::string_view entry) -> std::vector<std::string> {
                             return {cell(entry, "time"),      cell(entry, "actor"),  cell(entry, "actor_key_id"),
                                     cell(entry, "address"),   cell(entry, "action"), cell(entry, "object"),
                                     cell(entry, "object_id"), changed_by(entry),     cell(entry, "request_id")};
                           })
              : body.error();
}

}  // namespace weir::app
