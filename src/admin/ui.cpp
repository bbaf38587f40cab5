#include "admin/ui.hpp"

#include "admin/ui_files.hpp"
#include "api/reply.hpp"

namespace weir::admin {

namespace {

constexpr std::string_view index_name = "index.html";
// Nothing from anywhere else, nothing inline, in nobody's frame.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view type_of(std::string_view name) {
  return name.ends_with(".html")  ? "text/html; charset=utf-8"
         : name.ends_with(".css") ? "text/css; charset=utf-8"
         : name.ends_with(".js")  ? "text/javascript; charset=utf-8"
         : name.ends_with(".svg") ? "image/svg+xml"
                                  : "application/octet-stream";
}

Task<void> send_file(api::ApiRequest& request, const UiFile& file) {
  const std::string_view known = request.http.head.headers.value("if-none-match");
  const bool unchanged = known == "*" || known.contains(file.etag);
  http::ResponseWriter& response = request.response;
  api::start_reply(request, unchanged ? 304 : 200, type_of(file.name));
  response.field("etag", file.etag);
  response.field("cache-control", "no-cache");  // kept, and asked for again each time: an update shows at once
  response.field("content-security-policy", content_security_policy);
  response.field("x-content-type-options", "nosniff");
  response.field("x-frame-options", "DENY");
  response.field("referrer-policy", "no-referrer");
  response.field("cross-origin-opener-policy", "same-origin");
  response.field("cross-origin-resource-policy", "same-origin");
  response.stream(file.body.size());  // a 304 tells the length of what it does not send
  static_cast<void>(co_await response.finish(unchanged ? std::string_view() : file.body));
}

Task<void> redirect(api::ApiRequest& request) {
  api::start_reply(request, 308, "application/json");
  request.response.field("location", "/ui/");
  static_cast<void>(co_await request.response.whole(R"({"location":"/ui/"})"));
}

gateway::Endpoint endpoint(std::string_view path, std::string_view summary) {
  return {.method = "GET",
          .path = path,
          .upstream_path = "",
          .auth = gateway::AuthClass::page,
          .limits = gateway::LimitsClass::none,
          .summary = summary};
}

}  // namespace

void add_ui_endpoints(api::Registry& registry) {
  registry.add(endpoint("/ui", "Leads to the live page."), redirect);
  registry.add(endpoint("/ui/{file}", "The live page's files."), [](api::ApiRequest& request) -> Task<void> {
    for (const UiFile& file : ui_files()) {
      if (file.name == request.rest) {
        return send_file(request, file);
      }
    }
    static const Error missing{.code = Code::not_found, .message = "The live page has no such file. It is at /ui/."};
    return api::reply_error(request, missing);
  });
  for (const UiFile& file : ui_files()) {
    if (file.name == index_name) {
      registry.add(endpoint("/ui/", "The live page: calls as they run, and a playground."),
                   [&file](api::ApiRequest& request) { return send_file(request, file); });
    }
  }
}

}  // namespace weir::admin
