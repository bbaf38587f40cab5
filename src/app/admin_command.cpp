#include "app/admin_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "app/admin_client.hpp"
#include "app/table.hpp"
#include "text/json_value.hpp"
#include "text/printable.hpp"

namespace weir::app {

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

std::expected<std::string, int> ask_as_command(std::string_view command, const std::string& url, http::Method method,
                                               const std::string& path, const std::string& json_body) {
  const std::string where = weir_url(url);
  auto reply = ask_weir(where, method, path, json_body);
  if (!reply) {
    fmt::print(stderr, "weir {}: {}\n", command, reply.error().message);
    return std::unexpected(exit_status_of(reply));
  }
  if (reply->status / 100 != 2) {
    const auto error = check_object(reply->body) ? text::find_member(reply->body, "error") : std::nullopt;
    const std::string message =
        error && error->kind == text::JsonKind::object ? text::printable(cell(error->raw, "message")) : "";
    fmt::print(
        stderr, "weir {}: {}\n", command,
        message.empty() ? fmt::format("{} answered {}: {}", where, reply->status, beginning_of(reply->body)) : message);
    return std::unexpected(exit_status_of(reply));
  }
  return std::move(reply->body);
}

int print_list(std::string_view command, const std::string& body, bool as_json, std::vector<std::string> titles,
               const std::function<std::vector<std::string>(std::string_view)>& line) {
  if (as_json) {
    fmt::print("{}\n", body);
    return 0;
  }
  const auto rows = rows_of(body);
  if (!rows) {
    fmt::print(stderr, "weir {}: {}\n", command, rows.error().message);
    return 1;
  }
  std::vector<std::vector<std::string>> table = {std::move(titles)};
  for (const std::string_view row : *rows) {
    table.push_back(line(row));
  }
  fmt::print("{}", as_table(std::move(table)));
  if (const std::string next = cell(body, "next"); !next.empty()) {
    fmt::print(stderr, "There are more: --after {}\n", text::printable(next));
  }
  return 0;
}

}  // namespace weir::app
