#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <thread>

#include "app/commands.hpp"
#include "app/demo_keys.hpp"
#include "app/first_look.hpp"
#include "app/handover.hpp"
#include "app/memory_watch.hpp"
#include "app/node.hpp"
#include "app/record_keeping.hpp"
#include "app/reloader.hpp"
#include "app/start.hpp"
#include "app/version.hpp"
#include "base/ids.hpp"
#include "net/cores.hpp"
#include "observe/log_writer.hpp"
#include "platform/process.hpp"
#include "platform/random.hpp"
#include "platform/real_clock.hpp"
#include "platform/real_files.hpp"
#include "tokens/counting_thread.hpp"

namespace weir::app {

namespace {

observe::Level level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return observe::Level::debug;
    case LogLevel::info: return observe::Level::info;
    case LogLevel::warn: return observe::Level::warn;
    case LogLevel::error: return observe::Level::error;
    case LogLevel::off: return observe::Level::off;
  }
  return observe::Level::info;
}

observe::LogWriter::Filter filter_of(const LogConfig& config) {
  observe::LogWriter::Filter filter{.level = level_of(config.level), .components = {}, .requests = config.requests};
  for (const auto& [component, level] : config.components) {
    filter.components.emplace(component, level_of(level));
  }
  return filter;
}

Result<std::unique_ptr<observe::LogWriter>> open_log(const LogConfig& config, const platform::Clock& clock) {
  platform::RealFiles files;
  auto file = config.file.empty() ? files.standard_error() : files.open_append(config.file);
  if (!file) {
    return fail(file.error().code, fmt::format("the log cannot be opened: {}", file.error().message));
  }
  return std::make_unique<observe::LogWriter>(std::move(*file), clock,
                                              observe::LogWriter::Options{.filter = filter_of(config)});
}

int worker_count(const ServerConfig& config) {
  return config.workers > 0 ? config.workers : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

RecordKeeping::Options record_options(const Config& config, const platform::Clock& clock, std::size_t cores) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall_now().time_since_epoch());
  return {.data_dir = config.data_dir,
          .store = config.store,
          .cores = cores,
          .name = make_request_id(static_cast<std::uint64_t>(now.count()), platform::entropy(), platform::entropy())
                      .substr(std::string_view("req_").size())};
}

/// Before the first call the keys of the store are known, unless it does not answer.
constexpr auto first_look_patience = std::chrono::seconds(2);

/// What a new user needs next: the two lines to paste.
void print_welcome(const Start& start, const Node& node) {
  const Config& config = *start.outcome.config;
  const std::vector<std::string> urls = node.urls();
  const auto web = std::ranges::find_if(urls, [](const std::string& one) { return one.starts_with("http"); });
  // A browser and most clients need an address; curl takes a Unix socket as an option.
  const std::string url = web != urls.end() ? *web : "http://localhost";
  for (const std::string& line : start.found) {
    fmt::print("  {}\n", line);
  }
  for (const std::string& listening : urls) {
    fmt::print("weir {} is listening on {}\n", version, listening);
  }
  if (web != urls.end() && std::ranges::all_of(config.listen, is_loopback)) {
    fmt::print("Calls as they run: {}/ui/\n", url);
  }
  const CallerKey* demo = find_demo_key(config.auth);
  const std::string_view key = demo == nullptr ? std::string_view() : demo->value.reveal();  // everybody knows it
  if (demo != nullptr) {
    fmt::print("Callers need a key, for example {}: X-API-Key: {}\n", demo->key.label, key);
  }
  if (!start.from_file) {
    fmt::print(
        "\nNo configuration file: what was found above is used, and {3}. Point an OpenAI client here, or try it "
        "now:\n\n"
        "  export OPENAI_BASE_URL={0}/v1{1}\n"
        "  curl -N {0}/v1/chat/completions -H 'content-type: application/json' {2}"
        "-d '{{\"model\":\"mock/hello\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}'\n\n"
        "`weir explain last` then tells what happened; `weir help options` lists every setting.\n",
        url, demo == nullptr ? "" : fmt::format(" OPENAI_API_KEY={}", key),
        demo == nullptr ? "" : fmt::format("-H 'x-api-key: {}' ", key),
        config.store.file.empty() ? "nothing is written to the disk"
                                  : fmt::format("calls are kept in {}", config.data_dir));
  }
  std::fflush(stdout);
}

/// One that came without a request goes into the audit log too; where the store is away, the log alone has it.
void note_reload(IdentityStore& identities, const platform::Clock& clock, std::string_view actor,
                 const admin::ReloadOutcome& outcome) {
  const admin::Actor who{.label = std::string(actor), .now = clock.wall_now()};
  static_cast<void>(identities.worker().post([who, after = admin::to_json(outcome)](Result<store::Store*> store) {
    if (store) {
      static_cast<void>(admin::write_down(
          **store, who,
          {.action = "reload", .object = "configuration", .object_id = "configuration", .before = "", .after = after}));
    }
  }));
}

}  // namespace

int serve(const ServeOptions& options) {
  auto inherited = platform::InheritedSockets::from_environment();
  platform::note_predecessor();
  platform::raise_file_limit();
  platform::keep_freed_memory();
  const Start start = read_start(options.config, options.demo, store_may_hold_keys);
  if (!start.outcome.config) {
    fmt::print(stderr, "weir did not start: {} in the configuration.\n",
               start.outcome.errors.size() == 1 ? "1 error" : fmt::format("{} errors", start.outcome.errors.size()));
    return 2;
  }
  const auto config = std::make_shared<const Config>(*start.outcome.config);
  // Signals are taken by sigtimedwait below, on this thread alone; every thread, the log's first, inherits the mask.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR2}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const platform::RealClock clock;
  auto log = open_log(config->log, clock);
  if (!log) {
    fmt::print(stderr, "weir did not start: {}\n", log.error().message);
    return 1;
  }

  net::Cores cores(worker_count(config->server), &inherited);
  Node node(cores.loops(), config, **log);
  tokens::CountingThread counting;
  node.use_counting(counting);
  platform::RealFiles files;
  const auto beyond_loopback = std::ranges::find_if_not(config->listen, is_loopback);
  std::unique_ptr<FirstLook> first_look;
  std::unique_ptr<RecordKeeping> records;
  if (!config->store.file.empty()) {
    auto opened = RecordKeeping::open(files, clock, **log, record_options(*config, clock, cores.loops().size()));
    if (!opened) {
      fmt::print(stderr, "weir did not start: {}\n", opened.error().message);
      return 1;
    }
    records = std::move(*opened);
    node.use_records(*records);
    const auto master_key = open_master_key(files, config->data_dir);
    if (!master_key) {
      fmt::print(stderr, "weir did not start: {}\n", master_key.error().message);
      return 1;
    }
    node.expect_keys(master_key->hasher, [&worker = records->worker()] { return worker.answers(); });
    first_look =
        std::make_unique<FirstLook>(node, files, **log, clock,
                                    FirstLook::Options{.admin_key_configured = !config->auth.admin_key.empty(),
                                                       .needs_keys = beyond_loopback != config->listen.end() &&
                                                                     !has_keys(config->auth) && !config->store.named,
                                                       .master_key_made_now = master_key->made_now,
                                                       .master_key_file = config->data_dir + "/master.key"});
    records->begin_with([&look = *first_look](store::Store& store) { return look.take(store); });
  }
  IdentityStore identities(records == nullptr ? nullptr : &records->worker(), node.gates(), node.allowances(),
                           [&node](std::shared_ptr<const IdentityRows> rows, std::function<void()> done) {
                             node.judge_by(std::move(rows), std::move(done));
                           });
  node.use_identities(identities);
  if (records != nullptr) {
    records->start();
    if (!first_look->wait(first_look_patience)) {
      (*log)->message(observe::Level::warn, "auth",
                      "the store does not answer: its keys are not known yet, and whoever sends one gets 503");
    }
    if (first_look->misses_keys()) {
      fmt::print(stderr, "weir did not start: {}\n", without_keys(*beyond_loopback));
      return 2;
    }
    // The first calls need not be refused because nobody has counted what was spent.
    records->wait_until_counted(first_look_patience);
  }
  if (const auto listening = node.listen(); !listening) {
    fmt::print(stderr, "weir did not start: {}\n", listening.error().message);
    return 1;
  }
  Reloader reloader(node, **log, files,
                    {.read = [&options] { return find_start(options.config, options.demo).outcome; },
                     .applied = [&log](const Config& now) { (*log)->set_filter(filter_of(now.log)); },
                     .unasked = [&](const auto& outcome) { note_reload(identities, clock, "changed file", outcome); }},
                    start.outcome);
  node.set_reloading(reloader);
  for (const std::string& unused : inherited.close_rest()) {
    (*log)->message(observe::Level::warn, "server",
                    fmt::format("the inherited socket {} is closed: `listen` does not name it", unused));
  }
  cores.start();
  identities.start();
  print_welcome(start, node);
  platform::announce_ready();
  platform::give_freed_memory_back();

  Handover handover(**log, [] { ::kill(::getpid(), SIGTERM); });
  MemoryWatch memory(platform::read_process_stats());
  while (true) {
    constexpr timespec look{.tv_sec = MemoryWatch::look_every.count(), .tv_nsec = 0};
    const int signal = sigtimedwait(&signals, nullptr, &look);
    if (signal < 0) {
      if (memory.is_time(platform::read_process_stats())) {
        node.give_memory_back();
      }
      continue;
    }
    if (signal == SIGUSR2) {
      handover.begin(node.listening_sockets());
      continue;
    }
    if (signal != SIGHUP) {
      break;
    }
    reloader.reload([&](const auto& outcome) { note_reload(identities, clock, "SIGHUP", outcome); });
  }
  reloader.stop();
  const ServerConfig& now = reloader.current().server;
  (*log)->message(observe::Level::info, "server",
                  fmt::format("stopping: calls that run may finish within {} s",
                              std::chrono::duration<double>(now.drain_timeout).count()));
  std::promise<void> stopped;
  // With a successor, the sockets' queue and whatever comes are its own: there is nothing to wait for.
  const auto accept_for = handover.done() ? std::chrono::milliseconds(0) : now.drain_delay;
  if (!handover.done()) {
    platform::notify_service_manager("STOPPING=1");
  }
  node.shut_down({.grace = now.drain_timeout, .accept_for = accept_for, .handed_over = handover.done()},
                 [&stopped] { stopped.set_value(); });
  const std::future<void> all_stopped = stopped.get_future();
  constexpr timespec look{.tv_sec = 0, .tv_nsec = 20'000'000};
  while (all_stopped.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    if (const int again = sigtimedwait(&signals, nullptr, &look); again == SIGINT || again == SIGTERM) {
      fmt::print(stderr, "weir: asked to stop a second time: ending at once.\n");
      log->reset();  // writes what is queued
      std::_Exit(1);
    }
  }
  counting.stop();
  if (records != nullptr) {
    records->stop();
  }
  cores.stop();
  return 0;
}

}  // namespace weir::app
