// LINKS: weir_app
// SEEDS: tests/fixtures/config
//
// Feeds any bytes to the configuration's reader: YAML, expansion of variables, option table, building, what `weir
// check` concludes. An input looks like the fixtures: parts that begin with `=== env` and `=== weir.yaml`; without them
// all of it is the file. What must hold for every input:
//   - there is either a configuration or at least one error;
//   - each message is one line, and none shows what a variable or a file holds;
//   - reading it again gives the same configuration, for which a reload changes nothing.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/check_reasons.hpp"
#include "app/config_changes.hpp"
#include "app/config_load.hpp"
#include "base/assert.hpp"

namespace {

using namespace weir;

constexpr std::string_view secret = "sk-hunter2-hunter2";

std::string part(std::string_view input, std::string_view name) {
  const std::string mark = "=== " + std::string(name) + "\n";
  const std::size_t at = input.find(mark);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = input.substr(at + mark.size());
  return std::string(rest.substr(0, rest.find("\n=== ")));
}

app::Environment environment_of(std::string_view text) {
  app::Environment environment{{"OPENAI_API_KEY", std::string(secret)}, {"KEY", std::string(secret)}};
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (const std::size_t equals = line.find('='); equals != std::string_view::npos) {
      environment.insert_or_assign(std::string(line.substr(0, equals)), std::string(line.substr(equals + 1)));
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return environment;
}

Result<std::string> read_secret(const std::string& path) {
  if (path.size() % 2 == 0) {
    return fail(Code::io_error, "No such file or directory");
  }
  return std::string(secret) + "\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool parted = input.find("=== weir.yaml\n") != std::string_view::npos;
  const std::string text = parted ? part(input, "weir.yaml") : std::string(input);
  const app::Environment environment = environment_of(part(input, "env"));

  const app::ConfigOutcome outcome = app::parse_config(text, "weir.yaml", environment, read_secret);
  WEIR_ASSERT(outcome.config.has_value() == outcome.errors.empty(), "a config and errors, or neither");
  for (const auto* messages : {&outcome.errors, &outcome.notices}) {
    for (const std::string& message : *messages) {
      WEIR_ASSERT(!message.empty() && message.find('\n') == std::string::npos, "a message is one line");
      WEIR_ASSERT(input.find("hunter2") != std::string_view::npos || message.find("hunter2") == std::string::npos,
                  "a message shows a secret");
    }
  }
  for (const app::ModelValues& model : outcome.models) {
    WEIR_ASSERT(app::explain_effective(outcome, model.name).has_value(), "a model that exists is explained");
  }
  if (!outcome.config) {
    return 0;
  }
  for (const std::string& line : app::unreachable(outcome)) {
    WEIR_ASSERT(!line.empty(), "a finding says something");
  }
  for (const auto& [name, policy] : outcome.config->models.exact) {
    const app::WorstCase worst = app::worst_case(policy);
    WEIR_ASSERT(
        worst.whole <= policy.timeouts.total && worst.whole <= worst.uncapped && worst.attempts >= worst.targets,
        "the worst case keeps its bounds");
  }
  const app::ConfigOutcome again = app::parse_config(text, "weir.yaml", environment, read_secret);
  WEIR_ASSERT(again.config.has_value() && app::describe_changes(*outcome.config, *again.config).empty() &&
                  app::needs_restart(*outcome.config, *again.config).empty(),
              "the same text is the same configuration");
  return 0;
}
