#include "app/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include "settings/nearest.hpp"

namespace weir::app {

namespace {

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

/// The long ones, without their dashes.
std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
  }
  return names;
}

/// What is wrong with `word`, which `app`, called `name`, has no use for.
std::string stranger(const CLI::App& app, const std::string& name, const std::string& word) {
  if (word.starts_with('-')) {
    const std::string option = word.substr(0, word.find('='));
    const std::string nearest =
        option.starts_with("--") ? settings::nearest(option.substr(2), options_of(app)) : std::string();
    return fmt::format("{} has no option \"{}\"{}", name, option,
                       nearest.empty() ? "" : fmt::format("; did you mean \"--{}\"?", nearest));
  }
  if (const auto commands = commands_of(app); !commands.empty()) {
    return fmt::format("{} has no command \"{}\"{}", name, word, settings::did_you_mean(word, commands));
  }
  return fmt::format("{}: \"{}\" is one word too many", name, word);
}

}  // namespace

std::string refusal_of(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App* app = &program;
  std::string name = program.get_name();
  while (true) {
    // A word that is not known comes first: it may be what is missing in its place.
    const std::vector<std::string> words = app->remaining();
    if (const auto word = std::ranges::find_if(words, [](const std::string& one) { return one != "--"; });
        word != words.end()) {
      return fmt::format("{}\n`{} --help` tells more.\n", stranger(*app, name, *word), name);
    }
    const auto chosen = app->get_subcommands();
    if (chosen.empty()) {
      break;
    }
    app = chosen.front();
    name += " " + app->get_name();
  }
  if (error.get_name() == "RequiredError" && !commands_of(*app).empty()) {
    return fmt::format("{}: which command?\n\n{}", name, app->help(name));
  }
  return fmt::format("{}: {}\n`{} --help` tells more.\n", name, error.what(), name);
}

}  // namespace weir::app
