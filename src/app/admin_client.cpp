#include "app/admin_client.hpp"

#include <fmt/format.h>

#include "app/machine_roots.hpp"
#include "app/start.hpp"
#include "http/client.hpp"
#include "http/head_writer.hpp"
#include "net/run.hpp"
#include "settings/url.hpp"

namespace weir::app {

namespace {

constexpr auto patience = std::chrono::seconds(70);  // longer than weir takes to say that it cannot

std::string_view word_of(http::Method method) {
  switch (method) {
    case http::Method::post: return "POST";
    case http::Method::patch: return "PATCH";
    case http::Method::delete_: return "DELETE";
    default: return "GET";
  }
}

/// Who is there, and with https: who must prove to be.
Result<http::Client::Options> client_options(const settings::Url& url) {
  http::Client::Options options{.peer = {.host = url.host, .port = url.port, .unix_path = url.unix_path},
                                .idle_max = 0};
  if (url.tls) {
    auto roots = machine_roots();
    if (!roots) {
      return std::unexpected(std::move(roots.error()));
    }
    options.tls = {.server_name = url.host,
                   .roots = *std::move(roots),
                   .cures = {.ca_file = "SSL_CERT_FILE=/path/of/ca.pem", .address = "the address"}};
  }
  return options;
}

Task<void> ask(platform::RealLoop& loop, http::Client::Options options, const settings::Url& url, http::Method method,
               const std::string& path, const std::string& body, const Secret& key, Result<AdminReply>& out) {
  http::Client client(loop, std::move(options));
  std::string head;
  http::HeadWriter writer(head);
  static_cast<void>(writer.request_line(word_of(method), url.path + path));
  writer.field(
      http::KnownHeader::host,
      fmt::format("{}:{}", url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]", url.port));
  writer.field(http::KnownHeader::connection, "close");
  if (!key.empty()) {
    writer.field(http::KnownHeader::authorization, "Bearer " + key.reveal());
  }
  if (method == http::Method::post || method == http::Method::patch) {
    if (!body.empty()) {
      static_cast<void>(writer.field("content-type", "application/json"));
    }
    writer.content_length(body.size());
  }
  writer.end();
  const platform::Until until{.deadline = loop.now() + patience};
  http::ClientFacts facts;
  const std::string_view body_bytes = body;
  auto response =
      co_await client.send(head, {&body_bytes, body.empty() ? std::size_t{0} : 1}, {.method = method}, facts, until);
  if (!response) {
    out = std::unexpected(response.error());
  } else {
    out = AdminReply{.status = (*response)->head().status, .body = {}};
    while (true) {
      const auto bytes = co_await (*response)->read(until);
      if (!bytes) {
        out = std::unexpected(bytes.error());
        break;
      }
      if (bytes->empty()) {
        break;
      }
      out->body.append(*bytes);
    }
    response->reset();
  }
  co_await client.close();
}

}  // namespace

std::string weir_url(const std::string& option) {
  if (!option.empty()) {
    return option;
  }
  const Environment environment = process_environment();
  const auto found = environment.find("WEIR_URL");
  return found != environment.end() && !found->second.empty() ? found->second : "http://127.0.0.1:8000";
}

Result<AdminReply> ask_weir(const std::string& url, http::Method method, const std::string& path,
                            const std::string& json_body) {
  const auto parsed = settings::parse_url(url);
  if (!parsed) {
    return fail(Code::invalid_request, fmt::format("`{}` {}", url, parsed.error().message));
  }
  auto options = client_options(*parsed);
  if (!options) {
    return fail(options.error().code, fmt::format("{}: {}", url, options.error().message));
  }
  platform::RealLoop loop;
  const Environment environment = process_environment();
  const auto found = environment.find("WEIR_ADMIN_KEY");
  const Secret key(found == environment.end() ? std::string() : found->second);
  Result<AdminReply> reply = fail(Code::internal, "nothing was asked");
  net::run_to_end(loop, ask(loop, *std::move(options), *parsed, method, path, json_body, key, reply));
  if (!reply && reply.error().code == Code::upstream_certificate) {
    return fail(Code::upstream_certificate, fmt::format("{}: {}. Nothing was sent.", url, reply.error().message));
  }
  if (!reply) {
    return fail(reply.error().code,
                fmt::format("no weir answers at {}: {}. Is it running? --url or WEIR_URL say where.", url,
                            reply.error().message));
  }
  if (reply->status == 401) {
    return fail(Code::unauthenticated,
                fmt::format("{} {}: set WEIR_ADMIN_KEY to its admin key, or to a key of the role admin or operator.",
                            url, key.empty() ? "wants an admin key" : "does not know the key in WEIR_ADMIN_KEY"));
  }
  return reply;
}

int exit_status_of(const Result<AdminReply>& reply) {
  const bool words = reply ? reply->status == 400 : reply.error().code == Code::invalid_request;
  return words ? 2 : 1;
}

}  // namespace weir::app
