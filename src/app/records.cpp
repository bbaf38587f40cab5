#include <fmt/format.h>

#include <boost/json.hpp>

#include "app/admin_client.hpp"
#include "app/commands.hpp"
#include "app/table.hpp"

namespace weir::app {

namespace {

namespace json = boost::json;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").contains(c);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

void add(std::string& path, std::string_view name, std::string_view value) {
  if (!value.empty()) {
    path += fmt::format("{}{}={}", path.contains('?') ? '&' : '?', name, escaped(value));
  }
}

/// What weir answered, where it answered well; else it is told on standard error.
std::optional<std::string> asked(std::string_view command, const std::string& option, const std::string& path) {
  const std::string url = weir_url(option);
  auto reply = ask_weir(url, http::Method::get, path);
  if (!reply) {
    fmt::print(stderr, "weir {}: {}\n", command, reply.error().message);
    return std::nullopt;
  }
  if (reply->status != 200) {
    boost::system::error_code failed;
    const json::value body = json::parse(reply->body, failed);
    const json::value* message = failed ? nullptr : body.find_pointer("/error/message", failed);
    fmt::print(stderr, "weir {}: {}\n", command,
               message != nullptr && message->is_string()
                   ? std::string(message->get_string())
                   : fmt::format("{} answered {}: {}", url, reply->status, reply->body));
    return std::nullopt;
  }
  return std::move(reply->body);
}

/// A member as it stands in a table; empty where it is not there.
std::string cell(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) {
    return "";
  }
  if (value->is_string()) {
    return std::string(value->get_string());
  }
  return value->is_double() ? fmt::format("{}", value->get_double()) : json::serialize(*value);
}

/// The rows of an answer; nothing where it is no list.
std::optional<json::array> rows_of(const std::string& body) {
  boost::system::error_code failed;
  json::value parsed = json::parse(body, failed);
  json::value* data = failed ? nullptr : parsed.find_pointer("/data", failed);
  return data != nullptr && data->is_array() ? std::optional(std::move(data->get_array())) : std::nullopt;
}

}  // namespace

int requests(const RequestsOptions& options) {
  std::string path = "/admin/v1/requests";
  add(path, "key", options.key);
  add(path, "model", options.model);
  add(path, "status", options.status);
  add(path, "from", options.from);
  add(path, "after", options.after);
  add(path, "limit", std::to_string(options.limit));
  const auto body = asked("requests", options.url, path);
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
  add(path, "group_by", options.group_by);
  add(path, "from", options.from);
  add(path, "to", options.to);
  add(path, "format", options.csv ? "csv" : "");
  const auto body = asked("usage", options.url, path);
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
  for (const std::string_view group : {"day", "key", "model"}) {
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
