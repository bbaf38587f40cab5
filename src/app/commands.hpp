#pragma once

#include <optional>
#include <string>

namespace weir::app {

/// The commands of the program. Each prints for people and gives the exit status: 0 good, 1 it failed, 2 the
/// configuration or the command line is wrong.

struct ServeOptions {
  std::string config;  // empty: ./weir.yaml if it is there, else no config
  bool demo = false;   // with the demo keys; loopback only
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

struct RequestsOptions {
  std::string url;  // empty: WEIR_URL, else http://127.0.0.1:8000
  std::string key;
  std::string tenant;
  std::string model;
  std::string status;
  std::string from;
  std::string after;
  int limit = 20;
  bool json = false;
};
int requests(const RequestsOptions& options);

struct UsageOptions {
  std::string url;  // empty: WEIR_URL, else http://127.0.0.1:8000
  std::string group_by = "day,key,model";
  std::string key;
  std::string tenant;
  std::string model;
  std::string from;
  std::string to;
  bool json = false;
  bool csv = false;
};
int usage(const UsageOptions& options);

struct AuditOptions {
  std::string url;  // empty: WEIR_URL, else http://127.0.0.1:8000
  std::string actor;
  std::string action;
  std::string object;
  std::string object_id;
  std::string from;
  std::string to;
  std::string after;
  int limit = 20;
  bool json = false;
};
int audit(const AuditOptions& options);

/// These two work on the store itself, whether a weir runs or not.
struct MigrateOptions {
  std::string config;
};
int migrate(const MigrateOptions& options);

struct BackupOptions {
  std::string config;
  std::string file;
};
int backup(const BackupOptions& options);

struct BreakersOptions {
  std::string change;  // open, close; empty: list them
  std::string target;  // "openai/gpt-4o", or a key: "openai#main"
  std::string wait;    // "10m": open for so long; empty: until it is closed
  std::string url;     // empty: WEIR_URL, else http://127.0.0.1:8000
};
int breakers(const BreakersOptions& options);

int demo();

/// A new caller key, for auth.keys; nothing but its text.
int generate_key();

struct HelpOptions {
  bool markdown = false;  // docs/configuration.md, instead of text for a terminal
};
int help_options(const HelpOptions& options);
int help_endpoints();

}  // namespace weir::app
