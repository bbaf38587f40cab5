#include <fmt/format.h>

#include "app/admin_command.hpp"
#include "app/commands.hpp"
#include "text/json_value.hpp"

namespace weir::app {

namespace {

std::string attempts_of(std::string_view call) {
  const auto attempts = text::find_member(call, "attempts");
  if (!attempts || attempts->kind != text::JsonKind::array) {
    return "";
  }
  std::size_t count = 0;
  text::for_each_element(attempts->raw, [&count](const text::JsonValue&) { ++count; });
  return std::to_string(count);
}

}  // namespace

int requests(const RequestsOptions& options) {
  std::string path = "/admin/v1/requests";
  add_parameter(path, "key", options.key);
  add_parameter(path, "tenant", options.tenant);
  add_parameter(path, "model", options.model);
  add_parameter(path, "status", options.status);
  add_parameter(path, "from", options.from);
  add_parameter(path, "after", options.after);
  add_parameter(path, "limit", std::to_string(options.limit));
  const auto body = ask_as_command("requests", options.url, http::Method::get, path);
  return body ? print_list("requests", *body, options.json,
                           {"TIME", "ID", "MODEL", "TARGET", "STATUS", "END", "MS", "IN", "OUT", "ATTEMPTS"},
                           [](std::string_view call) -> std::vector<std::string> {
                             return {cell(call, "time"),        cell(call, "id"),        cell(call, "model"),
                                     cell(call, "target"),      cell(call, "status"),    cell(call, "end_state"),
                                     cell(call, "duration_ms"), cell(call, "tokens_in"), cell(call, "tokens_out"),
                                     attempts_of(call)};
                           })
              : body.error();
}

int usage(const UsageOptions& options) {
  std::string path = "/admin/v1/usage";
  add_parameter(path, "group_by", options.group_by);
  add_parameter(path, "key", options.key);
  add_parameter(path, "tenant", options.tenant);
  add_parameter(path, "model", options.model);
  add_parameter(path, "from", options.from);
  add_parameter(path, "to", options.to);
  add_parameter(path, "format", options.csv ? "csv" : "");
  const auto body = ask_as_command("usage", options.url, http::Method::get, path);
  if (!body) {
    return body.error();
  }
  if (options.csv) {
    fmt::print("{}", *body);
    return 0;
  }
  std::vector<std::string> names;
  for (const std::string_view group : {"day", "tenant", "key", "model"}) {
    if (options.group_by.contains(group)) {
      names.emplace_back(group);
    }
  }
  names.insert(names.end(), {"requests", "errors", "input_tokens", "output_tokens", "cost_usd", "unpriced_requests"});
  return print_list("usage", *body, options.json, names, [&names](std::string_view row) {
    std::vector<std::string> line;
    for (const std::string& name : names) {
      line.push_back(cell(row, name));
    }
    return line;
  });
}

}  // namespace weir::app
