// `weir demo`: providers fail in front of one's eyes, chapter by chapter, and `explain` tells what happened.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <memory>

#include "admin/story.hpp"
#include "app/commands.hpp"
#include "app/demo_stage.hpp"

namespace weir::app {

namespace {

using namespace std::chrono_literals;
using providers::MockFault;
using providers::MockFaultKind;

/// One failure of the model server `first`. The chapters share a gateway, in which each has its own providers.
struct Chapter {
  std::string_view name;  // the model of its calls
  std::string_view title;
  std::string_view told;        // what is wrong with `first`, and what to look for
  MockFault fault{.every = 1};  // of `first`
  std::chrono::milliseconds first_token{150};
  bool dead = false;
  int calls = 1;
  std::size_t keys = 0;
};

constexpr std::chrono::milliseconds patience = 700ms;  // with the first content of the slow one

constexpr std::array chapters{
    Chapter{.name = "well", .title = "All is well", .told = "The model means: ask `first`; if it fails, ask `second`."},
    Chapter{.name = "dead",
            .title = "A dead provider",
            .told = "`first` has just been killed. The same call again:",
            .dead = true},
    Chapter{.name = "slow",
            .title = "A slow provider",
            .told = "`first` would need 30 s to its first word; `timeouts.first_token` is 0.7 s here.",
            .first_token = 30s},
    Chapter{.name = "cut",
            .title = "A cut stream",
            .told = "`first` cuts the connection after eight words. Some of its text is already with the caller.",
            .fault = {.kind = MockFaultKind::cut, .after_events = 8}},
    Chapter{.name = "limited",
            .title = "A rate-limited key",
            .told = "`first` has two keys. To the second call it says 429, come back in 30 s.",
            .fault = {.kind = MockFaultKind::status, .status = 429, .retry_after = 30s, .every = 2},
            .calls = 2,
            .keys = 2},
};

Config on_any_port() {
  Config config;
  config.listen = {Listen{.host = "127.0.0.1", .port = 0, .unix_path = {}}};
  return config;
}

/// The two targets give the same text, as a model at temperature 0 does: what one began, the other can prove to
/// continue.
ProviderConfig model(const Chapter& chapter, bool first) {
  ProviderConfig mock{.name = "mock", .dialect = "mock"};
  mock.mock.first_token = first ? chapter.first_token : 150ms;
  mock.mock.tokens_per_second = 25;
  mock.mock.text = "I am a model. My words arrive one after the other, whatever happens to those who send them.";
  if (first) {
    mock.mock.fault = chapter.fault;
  }
  return mock;
}

Config model_server(const Chapter& chapter, bool first) {
  Config config = on_any_port();
  config.providers.push_back(model(chapter, first));
  config.models.exact["chat"] = {.name = "chat", .steps = {{.any_of = {{.provider = "mock", .model = "chat"}}}}};
  return config;
}

void add_target(Config& config, const Chapter& chapter, bool first, const Stage& server) {
  ProviderConfig provider{.name = {}, .dialect = "openai"};
  provider.base_url = {.text = server.url() + "/v1", .host = "127.0.0.1", .port = server.port(), .path = "/v1"};
  if (first && chapter.fault.kind == MockFaultKind::cut) {
    // Played by the mock inside the gateway: a weir as a model server would end even this with a true word.
    provider = model(chapter, first);
  }
  for (std::size_t i = 0; i < chapter.keys; ++i) {
    provider.keys.push_back({.name = fmt::format("key-{}", i + 1), .value = Secret(fmt::format("sk-demo-{}", i + 1))});
  }
  // Named after the chapter: what is learnt of one is not known of another.
  provider.name = fmt::format("{}-{}", chapter.name, first ? "first" : "second");
  routing::Target target{.provider = provider.name, .model = "chat"};
  config.providers.push_back(std::move(provider));
  if (first && chapter.first_token > patience) {
    target.timeouts.first_token = patience;  // for this one alone: a busy machine is no slow provider
  }
  target.retry.attempts = 2;
  target.retry.backoff = 200ms;
  config.models.exact[std::string(chapter.name)].steps.push_back({.any_of = {std::move(target)}});
}

void show_story(const ledger::RecordPtr& record) {
  const auto story =
      record == nullptr ? fail(Code::not_found, "the call left no record") : admin::story_of(ledger::to_json(*record));
  fmt::print("\n{}", story ? *story : story.error().message + "\n");
}

}  // namespace

int demo() {
  std::vector<std::unique_ptr<Stage>> servers;
  Config config = on_any_port();
  for (const Chapter& chapter : chapters) {
    config.models.exact[std::string(chapter.name)].name = chapter.name;
    for (const bool first : {true, false}) {
      auto& server = *servers.emplace_back(std::make_unique<Stage>(model_server(chapter, first)));
      if (const auto started = server.start(); !started) {
        fmt::print(stderr, "weir demo: {}\n", started.error().message);
        return 1;
      }
      add_target(config, chapter, first, server);
    }
  }
  Stage gateway(std::move(config));
  if (const auto started = gateway.start(); !started) {
    fmt::print(stderr, "weir demo: {}\n", started.error().message);
    return 1;
  }
  fmt::print("Model servers run on this machine, two for each chapter, and weir at {} in front of them.\n",
             gateway.url());
  bool all_told = true;
  for (std::size_t i = 0; i < chapters.size(); ++i) {
    const Chapter& chapter = chapters[i];
    fmt::print("\n{}. {}\n   {}\n", i + 1, chapter.title, chapter.told);
    if (chapter.dead) {
      servers[2 * i]->kill();
    }
    std::string id;
    for (int call = 0; call < chapter.calls; ++call) {
      id = ask(gateway, chapter.name);
    }
    const ledger::RecordPtr record = record_of(gateway, id);
    all_told = all_told && record != nullptr;
    if (i > 0) {
      fmt::print("\n   `weir explain last` tells what happened:\n");
      show_story(record);
    }
  }
  return all_told ? 0 : 1;
}

}  // namespace weir::app
