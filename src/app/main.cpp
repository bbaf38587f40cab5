#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands.hpp"
#include "app/version.hpp"

int main(int argc, char** argv) {
  using namespace weir::app;

  CLI::App program("weir: one gateway between applications and every model they use");
  program.name("weir");
  program.require_subcommand(1);
  program.set_help_flag("-h,--help", "Print this help");
  program.set_version_flag("-V,--version", std::string(version));
  program.failure_message(CLI::FailureMessage::help);

  ServeOptions serve_options;
  auto* serve_command = program.add_subcommand("serve", "Run the gateway");
  serve_command->add_option("-c,--config", serve_options.config,
                            "Configuration file (default: ./weir.yaml, if there is one)");

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

  auto* demo_command = program.add_subcommand("demo", "See a target die and the stream answer anyway");

  auto* version_command = program.add_subcommand("version", "Print the version");

  std::string topic;
  auto* help_command =
      program.add_subcommand("help", "Help on the commands, the options of the configuration, or the endpoints");
  help_command->add_option("topic", topic, "A command, `options` or `endpoints`");
  HelpOptions help_settings;
  help_command->add_flag("--markdown", help_settings.markdown, "`options` as the page docs/configuration.md");

  CLI11_PARSE(program, argc, argv);

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
  if (*demo_command) {
    return demo();
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
  fmt::print(stderr, "weir help: there is no topic `{}`; there are the commands, `options` and `endpoints`.\n\n{}",
             topic, program.help());
  return 2;
}
