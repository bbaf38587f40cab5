#include "app/check_reasons.hpp"
#include "app/config_load.hpp"
#include "observe/json_time.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

// Each file in tests/fixtures/config is a config with the environment that it meets and what must come of it: errors,
// notices, the parsed form, explanations. Parts begin with `=== name`. After a wanted change run the test with
// WEIR_GOLDEN_UPDATE=1 in the environment and read the difference.

namespace weir::app {
namespace {

namespace fs = std::filesystem;

struct Part {
  std::string name;
  std::string text;
};

fs::path root() {
  return fs::path(__FILE__).parent_path().parent_path().parent_path();
}
fs::path folder() {
  return root() / "tests" / "fixtures" / "config";
}

std::vector<Part> read_parts(const fs::path& file) {
  std::vector<Part> parts;
  std::ifstream input(file);
  for (std::string line; std::getline(input, line);) {
    if (line.starts_with("=== ")) {
      parts.push_back({line.substr(4), ""});
    } else if (!parts.empty()) {
      parts.back().text += line + "\n";
    }
  }
  return parts;
}

Environment parse_environment(const std::string& text) {
  Environment environment;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    const std::size_t equals = line.find('=');
    environment[line.substr(0, equals)] = line.substr(equals + 1);
    begin = end + 1;
  }
  return environment;
}

std::string lines(const std::vector<std::string>& texts) {
  return texts.empty() ? "" : fmt::format("{}\n", fmt::join(texts, "\n"));
}

std::string describe(const routing::ModelPolicy& policy) {
  std::string out = fmt::format("  {}\n", policy.name);
  for (const routing::Step& step : policy.steps) {
    out += "    step\n";
    for (const routing::Target& target : step.any_of) {
      out += fmt::format("      {} / {} weight {} attempts {} first_token {}ms{}\n", target.provider, target.model,
                         target.weight, target.retry.attempts, target.timeouts.first_token.count(),
                         target.off.empty() ? "" : " off");
    }
  }
  return out;
}

/// The parts of a config that tests look at. Keys by name and length: golden files show no values.
std::string describe(const Config& config) {
  std::string out = "listen";
  for (const Listen& listen : config.listen) {
    out += " " + to_string(listen);
  }
  out += '\n';
  for (const CallerKey& caller : config.auth.keys) {
    const auth::Key& key = caller.key;
    out += fmt::format("caller {} {} of {} bytes, {}, tenant {}, user {}, models {}, endpoints {}, {} networks{}{}\n",
                       key.id, key.label, caller.value.reveal().size(), auth::to_string(key.role), key.tenant, key.user,
                       fmt::join(key.models, " "), fmt::join(key.endpoints, " "), key.ip_allow.size(),
                       key.active ? "" : ", off", key.expires_at ? ", until " + observe::rfc3339(*key.expires_at) : "");
  }
  if (!config.auth.admin_key.empty()) {
    out += fmt::format("admin key of {} bytes\n", config.auth.admin_key.reveal().size());
  }
  out += "providers\n";
  for (const ProviderConfig& provider : config.providers) {
    out += fmt::format("  {} {}{}{} {}\n", provider.name, provider.dialect, provider.preset.empty() ? "" : "/",
                       provider.preset, provider.base_url.text);
    for (const KeyConfig& key : provider.keys) {
      out += fmt::format("    key {} of {} bytes\n", key.name, key.value.reveal().size());
    }
    for (const auto& [name, value] : provider.headers) {
      out += fmt::format("    header {}: {}\n", name, value);
    }
    if (!provider.enabled) {
      out += fmt::format("    off: {}\n", provider.off_reason);
    }
  }
  out += "models\n";
  for (const auto& [name, policy] : config.models.exact) {
    out += describe(policy);
  }
  for (const routing::Pattern& pattern : config.models.patterns) {
    out += describe(pattern.policy);
  }
  out += "forwards";
  for (const routing::Forward& forward : config.models.forwards) {
    out += " " + forward.provider;
  }
  return out + fmt::format("\ndefault_model {}\n", config.models.default_model);
}

Result<std::string> read_secret(const std::string& path) {
  if (path == "/run/secrets/key") {
    return "sk-from-a-file\n";
  }
  return fail(Code::io_error, "No such file or directory");
}

class GoldenConfig : public testing::TestWithParam<std::string> {};

TEST_P(GoldenConfig, gives_exactly_the_recorded_outcome) {
  const fs::path file = folder() / GetParam();
  std::vector<Part> parts = read_parts(file);
  std::map<std::string, std::string> inputs;
  for (const Part& part : parts) {
    inputs[part.name] = part.text;
  }
  // A config of the examples is named instead of repeated.
  if (auto example = inputs.find("file"); example != inputs.end()) {
    auto text = read_small_file((root() / example->second.substr(0, example->second.find('\n'))).string());
    ASSERT_TRUE(text);
    inputs["weir.yaml"] = *text;
  }
  ASSERT_TRUE(inputs.contains("weir.yaml"));
  const ConfigOutcome outcome =
      parse_config(inputs["weir.yaml"], "weir.yaml", parse_environment(inputs["env"]), read_secret);
  EXPECT_EQ(outcome.config.has_value(), outcome.errors.empty());

  std::string actual;
  for (const Part& part : parts) {
    std::string text = part.text;
    if (part.name == "errors") {
      text = lines(outcome.errors);
    } else if (part.name == "notices") {
      text = lines(outcome.notices);
    } else if (part.name == "config") {
      text = outcome.config ? describe(*outcome.config) : "none\n";
    } else if (part.name.starts_with("explain ")) {
      const auto explained = explain_effective(outcome, part.name.substr(8));
      text = explained ? *explained : explained.error().message + "\n";
    } else if (part.name == "unreachable") {
      text = lines(unreachable(outcome));
    } else if (part.name == "worst") {
      text = outcome.config ? lines(worst_cases(*outcome.config)) : "";
    }
    actual += fmt::format("=== {}\n{}", part.name, text);
  }
  if (std::getenv("WEIR_GOLDEN_UPDATE") != nullptr) {
    std::ofstream(file) << actual;
    return;
  }
  std::string expected;
  for (const Part& part : parts) {
    expected += fmt::format("=== {}\n{}", part.name, part.text);
  }
  EXPECT_EQ(actual, expected);
  EXPECT_TRUE(inputs.contains("errors") || outcome.errors.empty()) << lines(outcome.errors);
}

std::vector<std::string> golden_files() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder())) {
    if (entry.path().extension() == ".txt") {
      names.push_back(entry.path().filename().string());
    }
  }
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenConfig, testing::ValuesIn(golden_files()),
                         [](const auto& file) { return file.param.substr(0, file.param.find('.')); });

}  // namespace
}  // namespace weir::app
