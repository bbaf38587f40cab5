#include "app/start.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include "app/demo_keys.hpp"
#include "app/discovery.hpp"
#include "app/record_keeping.hpp"
#include "net/run.hpp"
#include "platform/stream.hpp"
#include "store/sqlite_store.hpp"

namespace weir::app {

namespace {

constexpr const char* default_config = "weir.yaml";

/// Whether a model server listens where Ollama does. A refused connection answers at once; a silent one is not waited
/// for.
bool model_server_answers() {
  platform::RealLoop loop;
  bool answers = false;
  struct Probe {
    static Task<void> run(platform::RealLoop& on, bool& result) {
      const auto stream = co_await on.dial({.host = "127.0.0.1", .port = 11434},
                                           {.deadline = on.now() + std::chrono::milliseconds(200)});
      result = stream.has_value();
    }
  };
  net::run_to_end(loop, Probe::run(loop, answers));
  return answers;
}

/// Whether calls can be kept in the default data_dir: it is writable, or can be made here.
bool folder_takes_files() {
  const std::string folder = Config().data_dir;
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) {
    return ::access(".", W_OK | X_OK) == 0;
  }
  return std::filesystem::is_directory(folder, ignored) && ::access(folder.c_str(), R_OK | W_OK | X_OK) == 0;
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
      environment.emplace(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
    }
  }
  return environment;
}

Start find_start(const std::string& config_path, bool demo, const AskStore& may_hold_keys) {
  Start start;
  const Environment environment = process_environment();
  const AskStore ask = demo ? AskStore() : may_hold_keys;  // who may call is known then
  std::error_code ignored;
  const bool by_default = config_path.empty() && std::filesystem::exists(default_config, ignored);
  start.from_file = !config_path.empty() || by_default;
  if (start.from_file) {
    start.outcome = load_config(by_default ? default_config : config_path, environment, ask);
  } else {
    std::vector<std::string> notices;
    const Environment with_file = with_dotenv(".", environment, notices);
    Discovery discovery = discover(with_file, model_server_answers, folder_takes_files, ask);
    start.outcome = std::move(discovery.outcome);
    start.outcome.notices.insert(start.outcome.notices.begin(), notices.begin(), notices.end());
    start.found = std::move(discovery.lines);
    start.outcome.files = {default_config, ".env"};
  }
  if (demo) {
    add_demo_keys(start.outcome);
  }
  return start;
}

Start read_start(const std::string& config_path, bool demo, const AskStore& may_hold_keys) {
  Start start = find_start(config_path, demo, may_hold_keys);
  for (const std::string& notice : start.outcome.notices) {
    fmt::print(stderr, "notice: {}\n", notice);
  }
  for (const std::string& error : start.outcome.errors) {
    fmt::print(stderr, "error: {}\n", error);
  }
  return start;
}

bool store_may_hold_keys(const Config& config) {
  const std::string file = store_file(config.data_dir, config.store);
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error == std::errc::no_such_file_or_directory || (!error && bytes == 0)) {
    return false;
  }
  const auto store = error ? fail(Code::store_unavailable, error.message())
                           : store::open_sqlite_store({.file = file, .migrate = false});
  if (!store) {
    return true;
  }
  const auto keys = (*store)->keys().list({.revoked = true, .limit = 1});
  return !keys || !keys->empty();
}

}  // namespace weir::app
