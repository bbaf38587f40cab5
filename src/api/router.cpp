#include "api/router.hpp"

#include <fmt/format.h>

#include "api/query_names.hpp"
#include "api/reply.hpp"
#include "base/ids.hpp"
#include "dialects/openai/errors.hpp"
#include "http/content_decoder.hpp"
#include "observe/metric_names.hpp"
#include "settings/nearest.hpp"

namespace weir::api {

namespace {

/// True for localhost, 127.0.0.0/8 and [::1], with or without a port. `authority` is valid: the head parser saw to it.
bool is_loopback_name(std::string_view authority) {
  std::string_view host = authority;
  if (host.starts_with('[')) {
    host = host.substr(0, host.find(']') + 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  // "127.evil.example" is a name, not an address: all four parts must be numbers.
  const bool v4 = host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
  return v4 || http::iequals(host, "localhost") || host == "[::1]";
}

std::string_view authority_of(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? std::string_view() : origin.substr(scheme + 3);
}

/// What to ask in the place of a path that there is not.
std::string way_on_from(std::string_view path, const Registry& registry) {
  constexpr std::string_view admin = "/admin/v1/";
  constexpr std::size_t name_bytes_max = 40;  // of what may be a slip of the hand
  if (!path.starts_with("/admin")) {
    return "GET /v1/models lists the models; the chat endpoint is POST /v1/chat/completions.";
  }
  const auto name_in = [&](std::string_view of) {
    of = of.starts_with(admin) ? of.substr(admin.size()) : std::string_view();
    return of.substr(0, std::min(of.find('/'), name_bytes_max));
  };
  std::vector<std::string> names;
  for (const Registry::Entry& entry : registry.entries()) {
    names.emplace_back(name_in(entry.endpoint.path));
  }
  const std::string meant = settings::nearest(name_in(path), names);
  return fmt::format("GET /openapi.json describes what there is under /admin/v1{}",
                     meant.empty() ? "." : fmt::format("; did you mean \"{}{}\"?", admin, meant));
}

const gateway::Endpoint no_endpoint{
    .method = "", .path = "", .upstream_path = "", .auth = gateway::AuthClass::open, .summary = ""};

}  // namespace

std::string Router::new_id() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(core_.loop.wall_now()).time_since_epoch();
  platform::Random& random = core_.loop.random();
  const std::uint64_t high = random.next();
  return make_request_id(static_cast<std::uint64_t>(now.count()), high, random.next());
}

Task<void> Router::handle(const http::Request& request, http::ResponseWriter& response, http::RequestEnd& end) {
  const Registry::Match match = registry_.find(request.head.method_text, request.head.target.path);
  ApiRequest api{.http = request,
                 .response = response,
                 .end = end,
                 .core = core_,
                 .endpoint = match.entry != nullptr ? match.entry->endpoint : no_endpoint,
                 .id = new_id(),
                 .rest = match.rest,
                 .allow = {}};
  if (match.entry == nullptr) {
    const std::string_view path = request.head.target.path;
    if (match.allowed_methods.empty()) {
      co_await reply_error(api, {.code = Code::not_found,
                                 .message = fmt::format("Invalid URL ({} {}). {}", request.head.method_text, path,
                                                        way_on_from(path, registry_))});
    } else {
      api.allow = match.allowed_methods;
      co_await reply_error(api, {.code = Code::method_not_allowed,
                                 .message = fmt::format("{} does not take {}. It takes {}.", path,
                                                        request.head.method_text, match.allowed_methods)});
    }
    co_return;
  }
  if (const auto refusal = check_caller(api)) {
    core_.call_metrics.caller_refused(refusal->code);
    co_await reply_error(api, *refusal);
    co_return;
  }
  if (api.endpoint.auth == gateway::AuthClass::admin) {
    if (const auto refusal = refuse_unknown(request.head.target.query, api.endpoint.parameters)) {
      co_await reply_json(api, openai::request_error_status, openai::error_body(*refusal));
      co_return;
    }
  }
  co_await match.entry->handler(api);
}

/// Why the endpoint is not for whoever asks. A call is let through: its Exchange authenticates it, for its record.
std::optional<Error> Router::check_caller(ApiRequest& request) const {
  using gateway::AuthClass;
  const gateway::Endpoint& endpoint = request.endpoint;
  if (endpoint.auth == AuthClass::admin || endpoint.auth == AuthClass::page) {
    return check_admin(request);
  }
  if (endpoint.auth == AuthClass::open || endpoint.operation != nullptr || core_.gate == nullptr) {
    return std::nullopt;
  }
  request.gate = core_.gate;
  auto principal =
      request.gate->caller(auth::read_credential(request.http.head.headers),
                           {.endpoint = endpoint.path, .client = request.http.peer, .now = core_.loop.wall_now()});
  if (!principal) {
    return std::move(principal.error());
  }
  request.principal = *principal;
  return std::nullopt;
}

std::optional<Error> Router::check_admin(ApiRequest& request) const {
  if (core_.gate == nullptr || !core_.gate->admin_key_needed()) {
    return check_loopback(request.http);
  }
  if (request.endpoint.auth == gateway::AuthClass::page) {
    return std::nullopt;
  }
  request.gate = core_.gate;
  auto principal = request.gate->administrator(
      auth::read_credential(request.http.head.headers),
      {.endpoint = request.endpoint.path, .client = request.http.peer, .now = core_.loop.wall_now()});
  if (!principal) {
    return std::move(principal.error());
  }
  request.principal = *principal;
  return std::nullopt;
}

/// Without an admin key the admin endpoints are for programs and browsers on this machine: a page from elsewhere that
/// was tricked into resolving to 127.0.0.1 names its own host.
std::optional<Error> Router::check_loopback(const http::Request& request) const {
  if (!options_.loopback_only) {
    return Error{.code = Code::forbidden,
                 .message =
                     "The admin endpoints need an admin key where weir listens beyond loopback: set "
                     "WEIR_ADMIN_KEY, or give a key under auth.keys the role admin."};
  }
  const std::string_view origin = request.head.headers.value(http::KnownHeader::origin);
  if (!is_loopback_name(request.head.host) || (!origin.empty() && !is_loopback_name(authority_of(origin)))) {
    return Error{
        .code = Code::forbidden,
        .message = "The admin endpoints answer only to loopback names: use http://127.0.0.1 or http://localhost."};
  }
  return std::nullopt;
}

Task<void> Router::refuse(int status, Code code, std::string_view message, std::string_view,
                          http::ResponseWriter& response) {
  core_.metrics.cell(observe::metric::refused_heads, {fmt::format_int(status).c_str()}).add();
  const openai::ErrorShape shape = openai::shape_of(code);
  const std::string id = new_id();
  response.start(status);
  response.field("content-type", "application/json");
  response.field("x-weir-request-id", id);
  response.field("x-request-id", id);
  response.field("x-weir-attempts", "0");
  response.field("server-timing", "weir;dur=0");
  if (status == 415) {
    response.field("accept-encoding", http::accepted_content_codings);
  }
  write_retry_headers(response, status, std::nullopt);
  const std::string body = openai::error_body(message, shape.type, std::nullopt,
                                              shape.code.empty() ? std::nullopt : std::optional(shape.code));
  static_cast<void>(co_await response.whole(body));
}

}  // namespace weir::api
