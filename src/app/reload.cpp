#include <fmt/format.h>

#include <boost/json.hpp>

#include "app/admin_answer.hpp"
#include "app/admin_client.hpp"
#include "app/commands.hpp"
#include "text/printable.hpp"

namespace weir::app {

namespace {

namespace json = boost::json;

void print_all(std::FILE* where, std::string_view label, const json::object& reply, std::string_view list) {
  const json::value* lines = reply.if_contains(list);
  if (lines == nullptr || !lines->is_array()) {
    return;
  }
  for (const json::value& line : lines->get_array()) {
    if (line.is_string()) {
      fmt::print(where, "{}{}\n", label, text::printable(line.get_string()));
    }
  }
}

}  // namespace

int reload(const ReloadOptions& options) {
  const std::string url = weir_url(options.url);
  const auto reply = ask_weir(url, http::Method::post, "/admin/v1/reload");
  if (!reply) {
    fmt::print(stderr, "weir reload: {}\n", reply.error().message);
    return exit_status_of(reply);
  }
  boost::system::error_code failed;
  const json::value parsed = json::parse(reply->body, failed);
  if (failed || !parsed.is_object() || (reply->status != 200 && reply->status != 422)) {
    fmt::print(stderr, "weir reload: {} answered {}: {}\n", url, reply->status, beginning_of(reply->body));
    return exit_status_of(reply);
  }
  const json::object& outcome = parsed.get_object();
  if (reply->status == 422) {
    print_all(stderr, "error: ", outcome, "errors");
    fmt::print(stderr, "weir reload: rejected; nothing changed.\n");
    return 2;
  }
  print_all(stdout, "", outcome, "changes");
  print_all(stdout, "needs a restart: ", outcome, "restart");
  fmt::print("The configuration was loaded.\n");
  return 0;
}

}  // namespace weir::app
