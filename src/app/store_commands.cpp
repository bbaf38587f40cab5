#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/commands.hpp"
#include "app/record_keeping.hpp"
#include "app/start.hpp"
#include "platform/real_files.hpp"
#include "store/sqlite_store.hpp"

namespace weir::app {

namespace {

constexpr auto lock_wait = std::chrono::seconds(10);  // a running weir holds it for moments

/// The store's file; nothing where there is none, which is then told.
std::optional<std::string> file_of(std::string_view command, const std::string& config_path, bool make_folder) {
  const Start start = read_start(config_path);
  if (!start.outcome.config) {
    fmt::print(stderr, "weir {}: the configuration cannot be used; nothing was done.\n", command);
    const bool admin_key = std::ranges::any_of(start.outcome.errors, [](const auto& error) {
      return fmt::format("{}", error).contains("WEIR_ADMIN_KEY: auth.admin_key: has the same value");
    });
    if (admin_key) {
      fmt::print(
          stderr,
          "WEIR_ADMIN_KEY holds a key that the configuration names too, as is right for `weir keys` and the like. "
          "Run this one without it: env -u WEIR_ADMIN_KEY weir {} ...\n",
          command);
    }
    return std::nullopt;
  }
  const Config& config = *start.outcome.config;
  if (config.store.file.empty()) {
    fmt::print(stderr, "weir {}: `store.url` is none: nothing is stored.\n", command);
    return std::nullopt;
  }
  if (make_folder) {
    platform::RealFiles files;
    if (const auto made = files.make_directory(config.data_dir); !made) {
      fmt::print(stderr, "weir {}: {}\n", command, made.error().message);
      return std::nullopt;
    }
  }
  return store_file(config.data_dir, config.store);
}

}  // namespace

int migrate(const MigrateOptions& options) {
  const auto file = file_of("migrate", options.config, true);
  if (!file) {
    return 2;
  }
  platform::RealFiles files;
  if (const auto made = files.open_append(*file); !made) {  // with mode 0600
    fmt::print(stderr, "weir migrate: {}\n", made.error().message);
    return 1;
  }
  const auto report = store::migrate_sqlite({.file = *file, .lock_wait = lock_wait});
  if (!report) {
    fmt::print(stderr, "weir migrate: {}\n", report.error().message);
    return 1;
  }
  for (const std::string& name : report->applied) {
    fmt::print("applied {}\n", name);
  }
  fmt::print("{} has the schema {}{}.\n", *file, report->after,
             report->applied.empty() ? ", as it had before" : fmt::format("; before it was {}", report->before));
  return 0;
}

int backup(const BackupOptions& options) {
  const auto file = file_of("backup", options.config, false);
  if (!file) {
    return 2;
  }
  std::error_code ignored;
  if (!std::filesystem::exists(*file, ignored)) {
    fmt::print(stderr, "weir backup: there is no store at {} yet.\n", *file);
    return 1;
  }
  if (std::filesystem::exists(options.file, ignored)) {
    fmt::print(stderr, "weir backup: {} is there already; name a new file.\n", options.file);
    return 1;
  }
  platform::RealFiles files;
  const auto store = open_store_file(files, {.file = *file, .lock_wait = lock_wait});
  if (!store) {
    fmt::print(stderr, "weir backup: {}\n", store.error().message);
    return 1;
  }
  if (const auto made = files.open_append(options.file); !made) {  // with mode 0600
    fmt::print(stderr, "weir backup: {}\n", made.error().message);
    return 1;
  }
  if (const auto copied = (*store)->backup(options.file); !copied) {
    fmt::print(stderr, "weir backup: {}\n", copied.error().message);
    return 1;
  }
  fmt::print("{} is a copy of {}, schema {}.\n", options.file, *file, (*store)->schema_version());
  return 0;
}

}  // namespace weir::app
