#include <fmt/format.h>

#include <boost/json.hpp>

#include "app/admin_command.hpp"
#include "app/commands.hpp"
#include "app/table.hpp"

namespace weir::app {

namespace json = boost::json;

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
  if (!body) {
    return 1;
  }
  if (options.json) {
    fmt::print("{}\n", *body);
    return 0;
  }
  const auto rows = rows_of(*body);
  if (!rows) {
    fmt::print(stderr, "weir requests: this is no list of calls: {}\n", *body);
    return 1;
  }
  std::vector<std::vector<std::string>> table = {
      {"TIME", "ID", "MODEL", "TARGET", "STATUS", "END", "MS", "IN", "OUT", "ATTEMPTS"}};
  for (const json::value& row : *rows) {
    if (!row.is_object()) {
      continue;
    }
    const json::object& call = row.get_object();
    const json::value* attempts = call.if_contains("attempts");
    table.push_back({cell(call, "time"), cell(call, "id"), cell(call, "model"), cell(call, "target"),
                     cell(call, "status"), cell(call, "end_state"), cell(call, "duration_ms"), cell(call, "tokens_in"),
                     cell(call, "tokens_out"),
                     attempts != nullptr && attempts->is_array() ? std::to_string(attempts->get_array().size()) : ""});
  }
  fmt::print("{}", as_table(std::move(table)));
  return 0;
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
    return 1;
  }
  if (options.json || options.csv) {
    fmt::print("{}{}", *body, options.csv ? "" : "\n");
    return 0;
  }
  const auto rows = rows_of(*body);
  if (!rows) {
    fmt::print(stderr, "weir usage: this is no list of sums: {}\n", *body);
    return 1;
  }
  std::vector<std::string> names;
  for (const std::string_view group : {"day", "tenant", "key", "model"}) {
    if (options.group_by.contains(group)) {
      names.emplace_back(group);
    }
  }
  names.insert(names.end(), {"requests", "errors", "input_tokens", "output_tokens", "cost_usd", "unpriced_requests"});
  std::vector<std::vector<std::string>> table = {names};
  for (const json::value& row : *rows) {
    if (!row.is_object()) {
      continue;
    }
    std::vector<std::string>& line = table.emplace_back();
    for (const std::string& name : names) {
      line.push_back(cell(row.get_object(), name));
    }
  }
  fmt::print("{}", as_table(std::move(table)));
  return 0;
}

}  // namespace weir::app
