#include "app/demo_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::app {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> demo_keys{
    {{"demo", "sk-test-key-123"}, {"demo-dev", "sk-dev-key-456"}, {"demo-mock", "mock-api-key-123"}}};

}  // namespace

const CallerKey* find_demo_key(const AuthConfig& auth) {
  const auto found = std::ranges::find_if(auth.keys, [](const CallerKey& key) {
    return std::ranges::any_of(demo_keys, [&key](const auto& demo) { return demo.second == key.value.reveal(); });
  });
  return found == auth.keys.end() ? nullptr : &*found;
}

void add_demo_keys(ConfigOutcome& outcome) {
  if (!outcome.config) {
    return;
  }
  Config& config = *outcome.config;
  for (const Listen& listen : config.listen) {
    if (!is_loopback(listen)) {
      outcome.errors.push_back(fmt::format(
          "--demo: {} can be reached from other machines, and the demo keys are known to everybody; listen on "
          "127.0.0.1:{}, or leave --demo out",
          to_string(listen), listen.port));
    }
  }
  if (config.auth.mode == AuthMode::none) {
    outcome.errors.push_back("--demo: auth.mode is none, so no key is looked at; leave one of the two out");
  }
  for (const auto& [name, value] : demo_keys) {
    const bool taken = std::ranges::any_of(
        config.auth.keys, [&](const CallerKey& key) { return key.key.label == name || key.value.reveal() == value; });
    if (!taken) {
      CallerKey key{.key = {}, .value = Secret(std::string(value))};
      key.key.label = name;
      key.key.id = fmt::format("config:{}", name);
      config.auth.keys.push_back(std::move(key));
    }
  }
  if (!outcome.errors.empty()) {
    outcome.config.reset();
  }
}

}  // namespace weir::app
