#include "app/discovery.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::app {
namespace {

const auto no_server = [] { return false; };
const auto server = [] { return true; };

const ProviderConfig* find(const Config& config, std::string_view name) {
  auto found = std::ranges::find(config.providers, name, &ProviderConfig::name);
  return found == config.providers.end() ? nullptr : &*found;
}

TEST(Discovery, always_has_the_mock) {
  const Discovery found = discover({}, no_server);
  ASSERT_TRUE(found.outcome.config);
  const Config& config = *found.outcome.config;
  EXPECT_EQ(found.lines, std::vector<std::string>{"found: the built-in provider mock"});
  EXPECT_EQ(config.models.bare_names_to, "mock");
  ASSERT_EQ(config.models.forwards.size(), 1U);
  EXPECT_EQ(config.models.forwards[0].provider, "mock");
  EXPECT_EQ(config.models.mock_provider, "mock");
  EXPECT_EQ(config.listen, std::vector<Listen>{Listen{}});
  EXPECT_TRUE(found.outcome.notices.empty());
}

TEST(Discovery, keeps_calls_in_memory_where_the_folder_cannot_be_written) {
  const auto no_files = [] { return false; };
  const Discovery kept = discover({}, no_server);
  EXPECT_EQ(kept.outcome.config->store.file, "weir.db");
  const Discovery found = discover({}, no_server, no_files);
  EXPECT_TRUE(found.outcome.config->store.file.empty());
  EXPECT_EQ(found.lines.front(), "records: in memory alone, as this folder cannot be written");
  for (const Environment& said :
       {Environment{{"WEIR_DATA_DIR", "/var/lib/weir"}}, {{"WEIR_STORE__URL", "sqlite:a.db"}}}) {
    EXPECT_FALSE(discover(said, no_server, no_files).outcome.config->store.file.empty()) << "it was asked for";
  }
}

TEST(Discovery, takes_a_model_server_on_this_machine) {
  const Discovery found = discover({}, server);
  ASSERT_TRUE(found.outcome.config);
  const ProviderConfig* local = find(*found.outcome.config, "local");
  ASSERT_NE(local, nullptr);
  EXPECT_EQ(local->dialect, "openai");
  EXPECT_EQ(local->base_url.text, "http://127.0.0.1:11434/v1");
  EXPECT_TRUE(local->keys.empty());
  EXPECT_EQ(local->unknown_models, UnknownModels::forward);
  EXPECT_EQ(found.outcome.config->models.bare_names_to, "local");
  EXPECT_EQ(found.lines[0], "found: 127.0.0.1:11434: provider local at http://127.0.0.1:11434/v1, without a key");
}

TEST(Discovery, names_keys_that_this_version_cannot_use_and_keeps_their_providers_off) {
  const Discovery found = discover({{"OPENAI_API_KEY", "sk-1"},
                                    {"ANTHROPIC_API_KEY", "sk-2"},
                                    {"AZURE_OPENAI_API_KEY", "sk-3"},
                                    {"GEMINI_API_KEY", ""}},
                                   no_server);
  ASSERT_TRUE(found.outcome.config);
  const std::vector<std::string> expected{
      "found: OPENAI_API_KEY: provider openai at https://api.openai.com/v1",
      "skipped: ANTHROPIC_API_KEY: provider anthropic is off: dialect anthropic is not built yet in this version",
      "skipped: AZURE_OPENAI_API_KEY: provider azure is off: dialect azure is not built yet in this version",
      "found: the built-in provider mock"};
  EXPECT_EQ(found.lines, expected);
  EXPECT_TRUE(find(*found.outcome.config, "openai")->enabled);
  // Not the mock: its answer would look like the model's.
  EXPECT_EQ(found.outcome.config->models.bare_names_to, "openai");
  EXPECT_EQ(found.outcome.config->models.forwards[0].off, "");
}

TEST(Discovery, honours_another_address_for_openai) {
  const Discovery found =
      discover({{"OPENAI_API_KEY", "sk-1"}, {"OPENAI_BASE_URL", "http://127.0.0.1:9000/v1/"}}, server);
  ASSERT_TRUE(found.outcome.config);
  const ProviderConfig* openai = find(*found.outcome.config, "openai");
  ASSERT_NE(openai, nullptr);
  EXPECT_TRUE(openai->enabled);
  EXPECT_EQ(openai->base_url.text, "http://127.0.0.1:9000/v1");
  ASSERT_EQ(openai->keys.size(), 1U);
  EXPECT_EQ(openai->keys[0].value.reveal(), "sk-1");
  EXPECT_EQ(found.outcome.config->models.bare_names_to, "openai");
  EXPECT_EQ(found.lines[0], "found: OPENAI_API_KEY: provider openai at http://127.0.0.1:9000/v1");
}

TEST(Discovery, takes_an_address_without_a_key_for_a_server_that_wants_none) {
  const Discovery found = discover({{"OPENAI_BASE_URL", "http://127.0.0.1:9000/v1"}}, no_server);
  EXPECT_EQ(found.lines[0], "found: OPENAI_BASE_URL: provider openai at http://127.0.0.1:9000/v1, without a key");
}

TEST(Discovery, does_not_become_its_own_provider) {
  // The line that a start prints for clients often stays in the shell of the next start.
  const Discovery found = discover({{"OPENAI_BASE_URL", "http://localhost:8000/v1"}}, no_server);
  ASSERT_TRUE(found.outcome.config);
  EXPECT_EQ(find(*found.outcome.config, "openai"), nullptr);
  EXPECT_EQ(found.lines[0], "skipped: OPENAI_BASE_URL: it is where weir itself listens");
  const Discovery moved =
      discover({{"OPENAI_BASE_URL", "http://localhost:8000/v1"}, {"WEIR_LISTEN", "127.0.0.1:8001"}}, no_server);
  EXPECT_NE(find(*moved.outcome.config, "openai"), nullptr);
}

TEST(Discovery, takes_the_model_server_that_the_environment_names_without_a_probe) {
  bool asked = false;
  const Discovery found =
      discover({{"MODEL_SERVER_URL", "http://10.0.0.9:11434"}, {"MODEL_NAME", "llama3.2"}}, [&asked] {
        asked = true;
        return true;
      });
  ASSERT_TRUE(found.outcome.config);
  const Config& config = *found.outcome.config;
  EXPECT_FALSE(asked);
  EXPECT_EQ(find(config, "local")->base_url.text, "http://10.0.0.9:11434/v1");
  EXPECT_EQ(config.models.default_model, "llama3.2");
  EXPECT_TRUE(config.models.exact.contains("llama3.2"));
  EXPECT_EQ(config.models.bare_names_to, "local");
}

TEST(Discovery, obeys_variables_of_weir_and_tells_their_errors) {
  const Discovery good =
      discover({{"WEIR_LISTEN", "127.0.0.1:0"}, {"WEIR_RETRY__ATTEMPTS", "5"}, {"WEIR_PORT", "x"}}, no_server);
  ASSERT_TRUE(good.outcome.config);
  EXPECT_EQ(good.outcome.config->retry.attempts, 5);
  EXPECT_EQ(good.outcome.config->models.forwards[0].retry.attempts, 5);
  EXPECT_EQ(good.outcome.config->listen[0].port, 0);
  EXPECT_EQ(good.outcome.notices, std::vector<std::string>{"WEIR_PORT: ignored: no option has this name"});
  const Discovery bad = discover({{"WEIR_LISTEN", "0.0.0.0:8000"}, {"WEIR_STORE__URL", "none"}}, no_server);
  EXPECT_FALSE(bad.outcome.config);
  ASSERT_EQ(bad.outcome.errors.size(), 1U);
  EXPECT_TRUE(bad.outcome.errors[0].starts_with("WEIR_LISTEN: listen: 0.0.0.0:8000 can be reached"));
}

}  // namespace
}  // namespace weir::app
