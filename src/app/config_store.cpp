#include "app/config_builder.hpp"

#include <fmt/format.h>

namespace weir::app {

using settings::Report;
using settings::Section;

void build_store(const Section& root, Report& report, Config& config) {
  constexpr std::string_view sqlite = "sqlite:";
  const Section store = root.at("store");
  const std::string url = store.text("url");
  const std::string fallback = "weir.db";
  config.store.named = store.node("url") != nullptr;
  if (url == "none") {
    config.store.file.clear();
  } else if (url.empty()) {
    config.store.file = fallback;  // an empty DATABASE_URL means the embedded store
  } else if (url.starts_with(sqlite)) {
    std::string_view file = std::string_view(url).substr(sqlite.size());
    if (file.starts_with("//")) {
      file.remove_prefix(2);  // as others write it: sqlite:///absolute, sqlite://relative
    }
    config.store.file = file;
    if (file.empty() || file.ends_with('/')) {
      report.error(store.origin("url"), "store.url", "names no file; write for example sqlite:weir.db");
    }
  } else if (url.starts_with("postgres")) {
    config.store.file = fallback;
    report.notice(store.origin("url"), "store.url",
                  fmt::format("PostgreSQL is not built yet in this version; sqlite:{} in data_dir is used", fallback));
  } else {
    report.error(store.origin("url"), "store.url", "is none of sqlite:FILE, postgres://... and none");
  }
  config.store.journal_segment = store.bytes("journal_segment");
  const Section retention = store.at("retention");
  config.store.retention = {.age = retention.duration("age"),
                            .bytes = static_cast<std::int64_t>(retention.bytes("size")),
                            .audit = retention.duration("audit")};
}

}  // namespace weir::app
