#include "app/admin_client.hpp"

#include <fmt/format.h>

#include "http/client.hpp"
#include "http/head_writer.hpp"
#include "net/run.hpp"
#include "settings/url.hpp"

namespace weir::app {

namespace {

constexpr auto patience = std::chrono::seconds(10);

Task<void> get(platform::RealLoop& loop, const settings::Url& url, const std::string& path, Result<AdminReply>& out) {
  http::Client client(loop, {.peer = {.host = url.host, .port = url.port}, .idle_max = 0});
  std::string head;
  http::HeadWriter writer(head);
  static_cast<void>(writer.request_line("GET", url.path + path));
  writer.field(
      http::KnownHeader::host,
      fmt::format("{}:{}", url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]", url.port));
  writer.field(http::KnownHeader::connection, "close");
  writer.end();
  const platform::Until until{.deadline = loop.now() + patience};
  http::ClientFacts facts;
  auto response = co_await client.send(head, {}, {.method = http::Method::get}, facts, until);
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

Result<AdminReply> get_from_weir(const std::string& url, const std::string& path) {
  const auto parsed = settings::parse_url(url);
  if (!parsed) {
    return fail(Code::invalid_request, fmt::format("`{}` {}", url, parsed.error().message));
  }
  platform::RealLoop loop;
  Result<AdminReply> reply = fail(Code::internal, "nothing was asked");
  net::run_to_end(loop, get(loop, *parsed, path, reply));
  if (!reply) {
    return fail(reply.error().code,
                fmt::format("no weir answers at {}: {}. Is it running? --url or WEIR_URL say where.", url,
                            reply.error().message));
  }
  return reply;
}

}  // namespace weir::app
