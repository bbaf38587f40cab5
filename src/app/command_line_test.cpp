#include "app/command_line.hpp"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir::app {
namespace {

/// What is said of a command line; empty where it is good.
std::string said_of(const std::string& line) {
  CLI::App program("weir");
  program.name("weir");
  program.require_subcommand(1);
  std::string text;
  int number = 0;
  bool flag = false;
  CLI::App* serve = program.add_subcommand("serve");
  serve->add_option("-c,--config", text);
  CLI::App* keys = program.add_subcommand("keys");
  keys->require_subcommand(1);
  CLI::App* create = keys->add_subcommand("create");
  create->add_option("--in-flight", number);
  CLI::App* show = keys->add_subcommand("show");
  show->add_option("key", text)->required();
  auto* json = show->add_flag("--json", flag);
  show->add_flag("--csv", flag)->excludes(json);
  try {
    program.parse(line);
    return "";
  } catch (const CLI::ParseError& error) {
    const std::string said = refusal_of(program, error);
    return said.substr(0, said.find('\n'));
  }
}

TEST(CommandLine, names_an_unknown_command_and_the_nearest) {
  EXPECT_EQ(said_of("keyz"), R"(weir has no command "keyz"; did you mean "keys"?)");
  EXPECT_EQ(said_of("keyz list --label x"), R"(weir has no command "keyz"; did you mean "keys"?)");
  EXPECT_EQ(said_of("keys craete"), R"(weir keys has no command "craete"; did you mean "create"?)");
  EXPECT_EQ(said_of("keys frob"), R"(weir keys has no command "frob")");
}

TEST(CommandLine, names_an_unknown_option_and_the_nearest) {
  EXPECT_EQ(said_of("serve --frob"), R"(weir serve has no option "--frob")");
  EXPECT_EQ(said_of("serve --confg=weir.yaml"), R"(weir serve has no option "--confg"; did you mean "--config"?)");
  EXPECT_EQ(said_of("serve -x"), R"(weir serve has no option "-x")");
  EXPECT_EQ(said_of("keys create --in_flight 1"),
            R"(weir keys create has no option "--in_flight"; did you mean "--in-flight"?)");
  EXPECT_EQ(said_of("keys show --jsn"), R"(weir keys show has no option "--jsn"; did you mean "--json"?)");
}

TEST(CommandLine, says_what_is_missing_too_many_or_no_number) {
  EXPECT_EQ(said_of("serve now"), R"(weir serve: "now" is one word too many)");
  EXPECT_EQ(said_of(""), "weir: which command?");
  EXPECT_EQ(said_of("keys"), "weir keys: which command?");
  EXPECT_EQ(said_of("keys show"), "weir keys show: key is required");
  EXPECT_EQ(said_of("keys create --in-flight x"), "weir keys create: Could not convert: --in-flight = x");
  EXPECT_EQ(said_of("keys show a --json --csv"), "weir keys show: --json excludes --csv");
  EXPECT_EQ(said_of("keys show a"), "");
}

}  // namespace
}  // namespace weir::app
