#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/command_line.hpp"
#include "app/commands.hpp"
#include "app/identity_commands.hpp"
#include "app/version.hpp"
#include "settings/nearest.hpp"

int main(int argc, char** argv) {
  using namespace weir::app;

  CLI::App program("weir: one gateway between applications and every model they use");
  program.name("weir");
  program.require_subcommand(1);
  program.set_help_flag("-h,--help", "Print this help");
  program.set_version_flag("-V,--version", std::string(version));

  ServeOptions serve_options;
  auto* serve_command = program.add_subcommand("serve", "Run the gateway");
  serve_command->add_option("-c,--config", serve_options.config,
                            "Configuration file (default: ./weir.yaml, if there is one)");

  serve_command->add_flag("--demo", serve_options.demo,
                          "Accept the demo keys (sk-test-key-123 ...) that everybody knows; on loopback only");

  CheckOptions check_options;
  auto* check_command = program.add_subcommand("check", "Check a configuration and say what it means");
  check_command->add_option("-c,--config", check_options.config, "Configuration file (default: ./weir.yaml)");
  check_command->add_option("--explain", check_options.explain_model,
                            "Print each effective value of this model and the line that set it");

  ExplainOptions explain_options;
  auto* explain_command = program.add_subcommand("explain", "Tell what happened in a call");
  explain_command->add_option("id", explain_options.id, "The response's x-weir-request-id, or `last`")
      ->capture_default_str();
  explain_command->add_option("--url", explain_options.url,
                              "Where weir listens (default: WEIR_URL, else http://127.0.0.1:8000)");
  explain_command->add_flag("--json", explain_options.json, "Print the record as JSON");

  ReloadOptions reload_options;
  auto* reload_command = program.add_subcommand("reload", "Have a running weir load its configuration again");
  reload_command->add_option("--url", reload_options.url,
                             "Where weir listens (default: WEIR_URL, else http://127.0.0.1:8000)");

  RequestsOptions requests_options;
  auto* requests_command = program.add_subcommand("requests", "List calls that ended, the newest first");
  requests_command->add_option("--key", requests_options.key, "Of the key with this id");
  requests_command->add_option("--tenant", requests_options.tenant, "Of this tenant");
  requests_command->add_option("--model", requests_options.model, "For this model, as the caller named it");
  requests_command->add_option("--status", requests_options.status,
                               "With this status (200), class (5xx) or end (complete, unknown, ...)");
  requests_command->add_option("--from", requests_options.from, "Since a day or moment (2026-11-21, RFC 3339)");
  requests_command->add_option("--after", requests_options.after, "Go on behind this id");
  requests_command->add_option("--limit", requests_options.limit, "How many, up to 1000")->capture_default_str();
  requests_command->add_option("--url", requests_options.url,
                               "Where weir listens (default: WEIR_URL, else http://127.0.0.1:8000)");
  requests_command->add_flag("--json", requests_options.json, "Print the answer as JSON");

  UsageOptions usage_options;
  auto* usage_command = program.add_subcommand("usage", "Sum up requests, tokens and cost");
  usage_command->add_option("--group-by", usage_options.group_by, "Of day, tenant, key and model, with commas")
      ->capture_default_str();
  usage_command->add_option("--key", usage_options.key, "Of the key with this id");
  usage_command->add_option("--tenant", usage_options.tenant, "Of this tenant");
  usage_command->add_option("--model", usage_options.model, "For this model, as the caller named it");
  usage_command->add_option("--from", usage_options.from, "Since a day or moment (2026-11-21, RFC 3339)");
  usage_command->add_option("--to", usage_options.to, "Until then, without it");
  usage_command->add_option("--url", usage_options.url,
                            "Where weir listens (default: WEIR_URL, else http://127.0.0.1:8000)");
  auto* usage_json = usage_command->add_flag("--json", usage_options.json, "Print the answer as JSON");
  usage_command->add_flag("--csv", usage_options.csv, "Print it as CSV")->excludes(usage_json);

  AuditOptions audit_options;
  auto* audit_command = program.add_subcommand("audit", "List who changed what, the newest first");
  audit_command->add_option("--actor", audit_options.actor, "By the key with this label");
  audit_command->add_option("--action", audit_options.action,
                            "create, update, rotate, revoke, delete, open, close or reload");
  audit_command->add_option("--object", audit_options.object, "Of a key, tenant, breaker or the configuration");
  audit_command->add_option("--id", audit_options.object_id, "Of the one with this id");
  audit_command->add_option("--from", audit_options.from, "Since a day or moment (2026-11-21, RFC 3339)");
  audit_command->add_option("--to", audit_options.to, "Until then, without it");
  audit_command->add_option("--after", audit_options.after, "Go on behind this one");
  audit_command->add_option("--limit", audit_options.limit, "How many, up to 1000")->capture_default_str();
  audit_command->add_option("--url", audit_options.url,
                            "Where weir listens (default: WEIR_URL, else http://127.0.0.1:8000)");
  audit_command->add_flag("--json", audit_options.json, "Print the answer as JSON");

  MigrateOptions migrate_options;
  auto* migrate_command = program.add_subcommand("migrate", "Bring the store's schema up to date");
  migrate_command->add_option("-c,--config", migrate_options.config, "Configuration file (default: ./weir.yaml)");

  BackupOptions backup_options;
  auto* backup_command = program.add_subcommand("backup", "Copy the store, also while weir runs");
  backup_command->add_option("file", backup_options.file, "The copy; it must not be there")->required();
  backup_command->add_option("-c,--config", backup_options.config, "Configuration file (default: ./weir.yaml)");

  BreakersOptions breakers_options;
  auto* breakers_command =
      program.add_subcommand("breakers", "List the circuit breakers, or open and close one by hand");
  breakers_command->add_option("change", breakers_options.change, "open or close; without it they are listed")
      ->check(CLI::IsMember({"open", "close"}));
  breakers_command->add_option("target", breakers_options.target, "Whose: provider/model, or provider#key, as listed");
  breakers_command->add_option("--for", breakers_options.wait,
                               "Open for so long, 10m say (default: until it is closed)");
  breakers_command->add_option("--url", breakers_options.url,
                               "Where weir listens (default: WEIR_URL, else http://127.0.0.1:8000)");

  auto* demo_command = program.add_subcommand("demo", "See a target die and the stream answer anyway");

  auto* keys_command = program.add_subcommand("keys", "Keys for callers");
  keys_command->require_subcommand(1);
  auto* generate_command = keys_command->add_subcommand("generate", "Print a new key, for `auth.keys`");

  std::function<int()> run;
  add_identity_commands(program, *keys_command, run);

  auto* version_command = program.add_subcommand("version", "Print the version");

  std::string topic;
  auto* help_command =
      program.add_subcommand("help", "Help on the commands, the options of the configuration, or the endpoints");
  help_command->add_option("topic", topic, "A command, `options` or `endpoints`");
  HelpOptions help_settings;
  help_command->add_flag("--markdown", help_settings.markdown, "`options` as the page docs/configuration.md");

  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return program.exit(error);  // the help or the version
    }
    fmt::print(stderr, "{}", refusal_of(program, error));
    return 2;
  }

  if (run) {
    return run();
  }
  if (*serve_command) {
    return serve(serve_options);
  }
  if (*check_command) {
    return check(check_options);
  }
  if (*explain_command) {
    return explain(explain_options);
  }
  if (*reload_command) {
    return reload(reload_options);
  }
  if (*requests_command) {
    return requests(requests_options);
  }
  if (*usage_command) {
    return usage(usage_options);
  }
  if (*audit_command) {
    return audit(audit_options);
  }
  if (*migrate_command) {
    return migrate(migrate_options);
  }
  if (*backup_command) {
    return backup(backup_options);
  }
  if (*breakers_command) {
    return breakers(breakers_options);
  }
  if (*demo_command) {
    return demo();
  }
  if (*generate_command) {
    return generate_key();
  }
  if (*version_command) {
    fmt::print("weir {}\n", version);
    return 0;
  }
  if (topic == "options") {
    return help_options(help_settings);
  }
  if (topic == "endpoints") {
    return help_endpoints();
  }
  program.clear();  // else the help would be that of the command `help`
  if (topic.empty()) {
    fmt::print("{}", program.help());
    return 0;
  }
  for (const CLI::App* command :
       program.get_subcommands([&](const CLI::App* candidate) { return candidate->get_name() == topic; })) {
    fmt::print("{}", command->help("weir " + topic));
    return 0;
  }
  std::vector<std::string> topics{"options", "endpoints"};
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    topics.push_back(command->get_name());
  }
  fmt::print(stderr, "weir help has no topic \"{}\"{}\nThere are the commands, `options` and `endpoints`.\n\n{}", topic,
             weir::settings::did_you_mean(topic, topics), program.help());
  return 2;
}
