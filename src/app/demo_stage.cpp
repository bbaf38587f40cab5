#include "app/demo_stage.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <future>
#include <utility>

#include "http/client.hpp"
#include "http/head_writer.hpp"
#include "http/sse_parser.hpp"
#include "net/run.hpp"
#include "text/json_value.hpp"

namespace weir::app {

namespace {

/// The text of the first string member of that name, wherever it stands; empty if there is none.
std::string text_behind(std::string_view json, std::string_view name) {
  const std::size_t at = json.find(fmt::format("\"{}\":\"", name));
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = json.substr(at + name.size() + 4);
  return text::unescape_lossy(rest.substr(0, rest.find('"')));  // the demo's own words have no quotes in them
}

Task<void> converse(platform::RealLoop& loop, std::uint16_t port, std::string_view model, std::string& id) {
  http::Client client(loop, {.peer = {.host = "127.0.0.1", .port = port}, .idle_max = 0});
  const std::string body =
      fmt::format(R"({{"model":"{}","stream":true,"messages":[{{"role":"user","content":"Who are you?"}}]}})", model);
  std::string head;
  http::HeadWriter writer(head);
  static_cast<void>(writer.request_line("POST", "/v1/chat/completions"));
  writer.field(http::KnownHeader::host, "127.0.0.1");
  writer.field(http::KnownHeader::content_type, "application/json");
  writer.content_length(body.size());
  writer.end();
  const platform::Until until{.deadline = loop.now() + std::chrono::seconds(60)};
  http::ClientFacts facts;
  const std::string_view pieces[] = {body};
  auto response = co_await client.send(head, pieces, {}, facts, until);
  if (!response) {
    fmt::print("  no answer: {}\n", response.error().message);
    co_await client.close();
    co_return;
  }
  const http::Headers& headers = (*response)->head().headers;
  id = headers.value("x-weir-request-id");
  fmt::print("   [{} answers] ", headers.value("x-weir-target"));
  http::SseParser parser(std::size_t{1} << 20);
  while (true) {
    const auto bytes = co_await (*response)->read(until);
    if (!bytes || bytes->empty()) {
      break;
    }
    parser.feed(*bytes);
    for (auto event = parser.next(); event && *event; event = parser.next()) {
      const std::string_view data = (*event)->data;
      if (data.contains("\"error\":")) {
        fmt::print("\n   [an error event: {}]", text_behind(data, "code"));
      } else {
        fmt::print("{}", text_behind(data, "content"));
      }
      std::fflush(stdout);
    }
  }
  fmt::print("\n");
  response->reset();
  co_await client.close();
}

Task<void> await_record(platform::RealLoop& loop, const Stage& gateway, const std::string& id,
                        ledger::RecordPtr& record) {
  const platform::Instant give_up = loop.now() + std::chrono::seconds(10);
  while ((record = gateway.node().ring().find(id)) == nullptr && loop.now() < give_up) {
    co_await platform::sleep(loop, {.deadline = loop.now() + std::chrono::milliseconds(1)});
  }
}

}  // namespace

Stage::Stage(Config config) : node_(cores_.loops(), std::make_shared<const Config>(std::move(config)), log_) {}

Result<void> Stage::start() {
  auto listening = node_.listen();
  if (listening) {
    cores_.start();
    running_ = true;
  }
  return listening;
}

void Stage::kill() {
  if (!std::exchange(running_, false)) {
    return;
  }
  std::promise<void> stopped;
  node_.shut_down({.grace = std::chrono::milliseconds(0)}, [&stopped] { stopped.set_value(); });
  stopped.get_future().wait();
  cores_.stop();
}

std::uint16_t Stage::port() const {
  const std::string where = url();
  return static_cast<std::uint16_t>(std::stoi(where.substr(where.rfind(':') + 1)));
}

std::string ask(const Stage& gateway, std::string_view model) {
  std::string id;
  platform::RealLoop loop;
  net::run_to_end(loop, converse(loop, gateway.port(), model, id));
  return id;
}

ledger::RecordPtr record_of(const Stage& gateway, const std::string& id) {
  ledger::RecordPtr record;
  platform::RealLoop loop;
  net::run_to_end(loop, await_record(loop, gateway, id, record));
  return record;
}

}  // namespace weir::app
