#include <fmt/format.h>

#include <future>
#include <thread>

#include "admin/story.hpp"
#include "app/commands.hpp"
#include "app/node.hpp"
#include "http/client.hpp"
#include "http/head_writer.hpp"
#include "http/sse_parser.hpp"
#include "net/cores.hpp"
#include "net/run.hpp"
#include "text/json_value.hpp"

namespace weir::app {

namespace {

/// The demo's log goes nowhere: the story is told on the screen.
class SilentLog final : public observe::Log {
 public:
  void message(observe::Level, std::string_view, std::string) override {}
  void request(std::shared_ptr<const observe::LogLine>) override {}
  [[nodiscard]] std::uint64_t dropped() const override { return 0; }
};

/// A weir in this process: a model server of the demo, or the gateway itself. Real sockets on loopback.
class Stage {
 public:
  explicit Stage(Config config) : node_(cores_.loops(), std::make_shared<const Config>(std::move(config)), log_) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { kill(); }

  Result<void> start() {
    auto listening = node_.listen();
    if (listening) {
      cores_.start();
      running_ = true;
    }
    return listening;
  }
  void kill() {
    if (!std::exchange(running_, false)) {
      return;
    }
    std::promise<void> stopped;
    node_.shut_down({.grace = std::chrono::milliseconds(0)}, [&stopped] { stopped.set_value(); });
    stopped.get_future().wait();
    cores_.stop();
  }
  [[nodiscard]] std::string url() const { return node_.urls().front(); }
  [[nodiscard]] const Node& node() const { return node_; }

 private:
  SilentLog log_;
  net::Cores cores_{1};
  Node node_;
  bool running_ = false;
};

Config on_any_port() {
  Config config;
  config.listen = {Listen{.host = "127.0.0.1", .port = 0, .unix_path = {}}};
  return config;
}

Config model_server(std::string_view name) {
  Config config = on_any_port();
  ProviderConfig mock{.name = "mock", .dialect = "mock"};
  mock.mock.first_token = std::chrono::milliseconds(150);
  mock.mock.tokens_per_second = 20;
  mock.mock.text =
      fmt::format("This is the {} model server. Words arrive one after the other, as a model would send them.", name);
  config.providers.push_back(std::move(mock));
  config.models.exact["chat"] = {.name = "chat", .steps = {{.any_of = {{.provider = "mock", .model = "chat"}}}}};
  return config;
}

Config gateway_before(const std::string& first, const std::string& second) {
  Config config = on_any_port();
  routing::ModelPolicy smart{.name = "smart"};
  for (const auto& [name, url] : {std::pair{"first", first}, std::pair{"second", second}}) {
    ProviderConfig provider{.name = name, .dialect = "openai"};
    const std::size_t colon = url.rfind(':');
    provider.base_url = {.text = url + "/v1",
                         .host = "127.0.0.1",
                         .port = static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1))),
                         .path = "/v1"};
    config.providers.push_back(std::move(provider));
    routing::Target target{.provider = name, .model = "chat"};
    target.retry.attempts = 2;
    target.retry.backoff = std::chrono::milliseconds(200);
    smart.steps.push_back({.any_of = {std::move(target)}});
  }
  config.models.exact["smart"] = std::move(smart);
  return config;
}

/// Asks the gateway as an application would, and prints the words as they arrive.
Task<void> ask(platform::RealLoop& loop, std::uint16_t port, std::string& id) {
  http::Client client(loop, {.peer = {.host = "127.0.0.1", .port = port}, .idle_max = 0});
  constexpr std::string_view body =
      R"({"model":"smart","stream":true,"messages":[{"role":"user","content":"Who are you?"}]})";
  std::string head;
  http::HeadWriter writer(head);
  static_cast<void>(writer.request_line("POST", "/v1/chat/completions"));
  writer.field(http::KnownHeader::host, "127.0.0.1");
  writer.field(http::KnownHeader::content_type, "application/json");
  writer.content_length(body.size());
  writer.end();
  const platform::Until until{.deadline = loop.now() + std::chrono::seconds(30)};
  http::ClientFacts facts;
  auto response = co_await client.send(head, {&body, 1}, {}, facts, until);
  if (!response) {
    fmt::print("  no answer: {}\n", response.error().message);
  } else {
    const http::Headers& headers = (*response)->head().headers;
    id = headers.value("x-weir-request-id");
    fmt::print("  [{} answers] ", headers.value("x-weir-target"));
    http::SseParser parser(std::size_t{1} << 20);
    while (true) {
      const auto bytes = co_await (*response)->read(until);
      if (!bytes || bytes->empty()) {
        break;
      }
      parser.feed(*bytes);
      for (auto event = parser.next(); event && *event; event = parser.next()) {
        const std::string_view data = (*event)->data;
        if (const std::size_t at = data.find("\"content\":\""); at != std::string_view::npos && at + 11 < data.size()) {
          const std::string_view rest = data.substr(at + 11);
          fmt::print("{}", rest.substr(0, rest.find('"')));
          std::fflush(stdout);
        }
      }
    }
    fmt::print("\n");
    response->reset();
  }
  co_await client.close();
}

std::string ask_gateway(const Stage& gateway) {
  const std::string url = gateway.url();
  std::string id;
  platform::RealLoop loop;
  net::run_to_end(loop, ask(loop, static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))), id));
  return id;
}

}  // namespace

int demo() {
  Stage first(model_server("first"));
  Stage second(model_server("second"));
  for (Stage* server : {&first, &second}) {
    if (const auto started = server->start(); !started) {
      fmt::print(stderr, "weir demo: {}\n", started.error().message);
      return 1;
    }
  }
  Stage gateway(gateway_before(first.url(), second.url()));
  if (const auto started = gateway.start(); !started) {
    fmt::print(stderr, "weir demo: {}\n", started.error().message);
    return 1;
  }
  fmt::print(
      "Two model servers run on this machine ({} and {}), and weir at {} in front of them.\n"
      "The model \"smart\" means: ask `first`, and if it fails, `second`.\n\n"
      "1. Both are well. A call streams:\n",
      first.url(), second.url(), gateway.url());
  ask_gateway(gateway);
  first.kill();
  fmt::print("\n2. `first` has just been killed. The same call again:\n");
  const std::string id = ask_gateway(gateway);
  fmt::print("\n3. The caller noticed nothing. `weir explain last` tells what happened:\n\n");
  const ledger::RecordPtr record = gateway.node().ring().find(id);
  if (record == nullptr) {
    fmt::print(stderr, "weir demo: the call left no record\n");
    return 1;
  }
  const auto story = admin::story_of(ledger::to_json(*record));
  fmt::print("{}", story ? *story : story.error().message + "\n");
  return record->end_state == ledger::EndState::complete ? 0 : 1;
}

}  // namespace weir::app
