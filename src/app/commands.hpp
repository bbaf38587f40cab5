#pragma once

#include <optional>
#include <string>

namespace weir::app {

/// The commands of the program. Each prints for people and gives the exit status: 0 good, 1 it failed, 2 the
/// configuration or the command line is wrong.

struct ServeOptions {
  std::string config;  // empty: ./weir.yaml if it is there, else no config
};
int serve(const ServeOptions& options);

struct CheckOptions {
  std::string config;
  std::string explain_model;
};
int check(const CheckOptions& options);

struct ExplainOptions {
  std::string id = "last";
  std::string url;  // empty: WEIR_URL, else http://127.0.0.1:8000
  bool json = false;
};
int explain(const ExplainOptions& options);

struct ReloadOptions {
  std::string url;  // empty: WEIR_URL, else http://127.0.0.1:8000
};
int reload(const ReloadOptions& options);

int demo();

struct HelpOptions {
  bool markdown = false;  // docs/configuration.md, instead of text for a terminal
};
int help_options(const HelpOptions& options);
int help_endpoints();

}  // namespace weir::app
