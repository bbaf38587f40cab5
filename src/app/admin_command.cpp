#include "app/admin_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "app/admin_client.hpp"
#include "app/table.hpp"
#include "text/printable.hpp"

namespace weir::app {

namespace json = boost::json;

std::string url_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").contains(c);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

void add_parameter(std::string& path, std::string_view name, std::string_view value) {
  if (!value.empty()) {
    path += fmt::format("{}{}={}", path.contains('?') ? '&' : '?', name, url_escaped(value));
  }
}

std::optional<std::string> ask_as_command(std::string_view command, const std::string& url, http::Method method,
                                          const std::string& path, const std::string& json_body) {
  const std::string where = weir_url(url);
  auto reply = ask_weir(where, method, path, json_body);
  if (!reply) {
    fmt::print(stderr, "weir {}: {}\n", command, reply.error().message);
    return std::nullopt;
  }
  if (reply->status / 100 != 2) {
    boost::system::error_code failed;
    const json::value body = json::parse(reply->body, failed);
    const json::value* message = failed ? nullptr : body.find_pointer("/error/message", failed);
    fmt::print(stderr, "weir {}: {}\n", command,
               text::printable(message != nullptr && message->is_string()
                                   ? std::string(message->get_string())
                                   : fmt::format("{} answered {}: {}", where, reply->status, reply->body)));
    return std::nullopt;
  }
  return std::move(reply->body);
}

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

std::optional<json::array> rows_of(const std::string& body) {
  boost::system::error_code failed;
  json::value parsed = json::parse(body, failed);
  json::value* data = failed ? nullptr : parsed.find_pointer("/data", failed);
  return data != nullptr && data->is_array() ? std::optional(std::move(data->get_array())) : std::nullopt;
}

int print_list(std::string_view command, const std::string& body, bool as_json, std::vector<std::string> titles,
               const std::function<std::vector<std::string>(const json::object&)>& line) {
  if (as_json) {
    fmt::print("{}\n", body);
    return 0;
  }
  const auto rows = rows_of(body);
  if (!rows) {
    fmt::print(stderr, "weir {}: this is no list: {}\n", command, body);
    return 1;
  }
  std::vector<std::vector<std::string>> table = {std::move(titles)};
  for (const json::value& row : *rows) {
    if (row.is_object()) {
      table.push_back(line(row.get_object()));
    }
  }
  fmt::print("{}", as_table(std::move(table)));
  boost::system::error_code failed;
  const json::value parsed = json::parse(body, failed);
  if (const std::string next = failed || !parsed.is_object() ? "" : cell(parsed.get_object(), "next"); !next.empty()) {
    fmt::print(stderr, "There are more: --after {}\n", text::printable(next));
  }
  return 0;
}

}  // namespace weir::app
