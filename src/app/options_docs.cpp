#include "app/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

namespace weir::app {

namespace {

using settings::Option;
using settings::Repeat;
using settings::State;
using settings::Type;

std::string_view type_name(Type type) {
  switch (type) {
    case Type::section: return "section";
    case Type::text: return "text";
    case Type::secret: return "secret text";
    case Type::boolean: return "true or false";
    case Type::integer: return "whole number";
    case Type::number: return "number";
    case Type::duration: return "duration";
    case Type::bytes: return "size";
    case Type::choice: return "word";
    case Type::url: return "web address";
  }
  return "";
}

/// "duration, 1ms to 24h"; "word: required, optional, none".
std::string values(const Option& option) {
  std::string text(type_name(option.type));
  if (!option.form.empty()) {
    text += fmt::format(" ({})", option.form);
  }
  if (!option.words.empty()) {
    text += fmt::format(": {}", fmt::join(option.words, ", "));
  }
  if (!option.min.empty() && !option.max.empty()) {
    text += fmt::format(", {} to {}", option.min, option.max);
  } else if (!option.min.empty()) {
    text += fmt::format(", at least {}", option.min);
  }
  if (option.repeat == Repeat::list) {
    text = "list of: " + text;
  } else if (option.repeat == Repeat::one_or_list) {
    text += "; or a list of them";
  }
  return text;
}

std::string_view first_name(std::string_view path) {
  return path.substr(0, path.find_first_of(".["));
}

/// A table's cell: a bar would end it, and GitHub reads a bare * as emphasis.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

std::string code(std::string_view text) {
  return text.empty() ? std::string() : fmt::format("`{}`", cell(text));
}

/// `later` holds for everything below the place that says so.
bool is_later(const Option& option, const std::vector<std::string>& later) {
  if (option.state == State::later) {
    return true;
  }
  for (const std::string& path : later) {
    if (option.path.starts_with(path + ".") || option.path.starts_with(path + "[")) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> later_paths(const settings::Schema& schema) {
  std::vector<std::string> paths;
  for (const Option& option : schema.options()) {
    if (option.state == State::later) {
      paths.push_back(option.path);
    }
  }
  return paths;
}

std::string remark(const Option& option, const std::vector<std::string>& later) {
  if (option.state == State::meaningless) {
    return fmt::format(" *Means nothing here: {}.*", option.why);
  }
  return is_later(option, later) ? " *Not built yet.*" : "";
}

constexpr std::string_view introduction = R"(# Configuration

This page is made from the option table of the program (`weir help options` prints the same for a terminal); change an
option there.

`weir serve --config FILE` reads FILE (default ./weir.yaml), then a `.env` file beside it, then the environment. Every
option is an environment variable too, and the variable wins: `retry.attempts` is `WEIR_RETRY__ATTEMPTS`,
`providers.openai.base_url` is `WEIR_PROVIDERS__OPENAI__BASE_URL`; lists are divided at commas; an empty variable counts
as absent. The real environment wins over `.env`. All of it is read again, whole or not at all, when a file changes and
on SIGHUP: operations.md tells what applies at once and what needs a restart.

Models may also be a list, below `models:` or in a file `models.yaml` beside this one: each entry has a `name` and a
`base_url`, and may have `model` (the server's name for it), `api_key`, `dialect` (default `openai`) and the other options
of a provider: `- {name: llama, base_url: "http://10.0.0.7:8000/v1", api_key: $LLAMA_KEY}`.

Values: durations `250ms 30s 5m 24h 7d` (a plain number: seconds), sizes `64KiB 32MiB` (a plain number: bytes).
`$NAME` as a whole value, or `${NAME}`, `${NAME:-text}` and `${file:/run/secrets/x}` inside quoted text, are replaced
after the file was parsed; `$$` is a dollar sign; a name that is not set is an error. In the table `*` stands for a name
of yours and `[]` for the items of a list. Unknown and duplicate keys are errors. Sections named `development`,
`staging` and `production` hold any of the other sections; the one that `app.environment` names is laid over the file.
`weir check` tells everything that is wrong at once, what is configured and never comes to effect, and how many attempts
and seconds a call of each model may take; `weir check --explain MODEL` says which line set each limit. Fallback cannot
go in a circle: a target names a provider and never another model.
)";

}  // namespace

std::string options_markdown() {
  const auto schema = option_schema();
  const std::vector<std::string> later = later_paths(*schema);
  std::string out(introduction);
  std::string_view section;
  for (const Option& option : schema->options()) {
    if (!option.like.empty()) {
      continue;
    }
    if (const std::string_view name = first_name(option.path); name != section) {
      section = name;
      out += fmt::format("\n## {}\n\n", name);
      out += "| option | values | default | what it does | example |\n|---|---|---|---|---|\n";
    }
    out += fmt::format("| {} | {} | {} | {}{} | {} |\n", code(option.path), cell(values(option)), code(option.fallback),
                       cell(option.sentence), remark(option, later), code(option.example));
  }
  out +=
      "\n## Other names\n\n`timeouts`, `retry`, `recovery` and `circuit_breaker` may also stand in a provider, a "
      "model, a step and "
      "a "
      "target; the strongest of these that sets an option decides.\n\n";
  for (const auto& [alias, path] : option_aliases()) {
    out += fmt::format("- `{}` is another name of `{}`; both at once are an error.\n", alias, path);
  }
  for (const settings::NamedVariable& variable : option_variables().named) {
    out += fmt::format("- `{}` in the environment sets `{}`.\n", variable.name, variable.path);
  }
  out += "- `MODEL_SERVER_URL` (with `MODEL_NAME`, default `tinyllama`) adds a provider `local`.\n";
  return out;
}

std::string options_help() {
  const auto schema = option_schema();
  const std::vector<std::string> later = later_paths(*schema);
  std::string out;
  for (const Option& option : schema->options()) {
    if (!option.like.empty()) {
      continue;
    }
    const bool section = option.type == Type::section;
    out += section ? fmt::format("{}:\n", option.path) : fmt::format("{}: {}\n", option.path, values(option));
    out += fmt::format("    {}", option.sentence);
    if (!option.fallback.empty()) {
      out += fmt::format(" Default: {}.", option.fallback);
    }
    if (option.state == State::meaningless) {
      out += fmt::format(" Means nothing here: {}.", option.why);
    } else if (is_later(option, later)) {
      out += " Not built yet.";
    }
    out += '\n';
  }
  return out;
}

}  // namespace weir::app
