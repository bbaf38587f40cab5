#include "app/config_load.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weir::app {
namespace {

namespace fs = std::filesystem;

/// A folder of its own that goes with the test.
class ConfigFolder : public testing::Test {
 protected:
  ConfigFolder() {
    folder_ = fs::path(testing::TempDir()) /
              (std::string("weir-config-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ConfigFolder() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(ConfigFolder, reads_the_dotenv_file_beside_the_config_as_the_weaker_environment) {
  const fs::path file = write("weir.yaml", "providers: {m: {dialect: mock, mock: {text: \"${A} ${B}\"}}}\n");
  write(".env", "A=from-file\nB=from-file\nWEIR_RETRY__ATTEMPTS=4\nnonsense\n");
  const ConfigOutcome outcome = load_config(file, {{"B", "from-shell"}});
  ASSERT_TRUE(outcome.config);
  EXPECT_EQ(outcome.config->providers[0].mock.text, "from-file from-shell");
  EXPECT_EQ(outcome.config->retry.attempts, 4);
  EXPECT_EQ(outcome.notices, std::vector<std::string>{(folder_ / ".env").string() + ":4: ignored: not NAME=value"});
}

TEST_F(ConfigFolder, reads_secrets_from_files) {
  const fs::path secret = write("key", "sk-file\n");
  const fs::path file =
      write("weir.yaml", "providers: {o: {dialect: openai, base_url: \"http://127.0.0.1:9/v1\", keys: [\"${file:" +
                             secret.string() + "}\"]}}\n");
  const ConfigOutcome outcome = load_config(file, {});
  ASSERT_TRUE(outcome.config);
  EXPECT_EQ(outcome.config->providers[0].keys[0].value.reveal(), "sk-file");
}

TEST_F(ConfigFolder, says_why_a_file_cannot_be_read) {
  const ConfigOutcome absent = load_config(folder_ / "absent.yaml", {});
  EXPECT_FALSE(absent.config);
  EXPECT_EQ(absent.errors, std::vector<std::string>{(folder_ / "absent.yaml").string() +
                                                    ": cannot be read: No such file or directory"});
  const ConfigOutcome wrong = load_config(folder_, {});
  EXPECT_EQ(wrong.errors, std::vector<std::string>{folder_.string() + ": cannot be read: it is a folder"});
}

TEST(MockFaults, happen_at_every_call_unless_the_config_says_otherwise) {
  const auto fault = [](const std::string& text) {
    const ConfigOutcome outcome =
        parse_config("providers: {m: {dialect: mock, mock: {fault: " + text + "}}}\n", "weir.yaml", {}, {});
    return outcome.config ? outcome.config->providers[0].mock.fault : MockFault{};
  };
  EXPECT_EQ(fault("{kind: stall}"), (MockFault{.kind = MockFaultKind::stall, .every = 1}));
  EXPECT_EQ(fault("{kind: cut, every: 2}"), (MockFault{.kind = MockFaultKind::cut, .every = 2}));
  EXPECT_EQ(fault("{kind: reset, rate: 0.25}"), (MockFault{.kind = MockFaultKind::reset, .every = 0, .rate = 0.25}));
  EXPECT_EQ(
      fault("{kind: status, status: 429, retry_after: 2s, after_events: 0}"),
      (MockFault{
          .kind = MockFaultKind::status, .status = 429, .retry_after = std::chrono::seconds(2), .after_events = 0}));
}

TEST(Explaining, a_model_that_is_not_there_says_so) {
  const ConfigOutcome outcome = parse_config("models: {}\n", "weir.yaml", {}, {});
  const auto explained = explain_effective(outcome, "smart");
  ASSERT_FALSE(explained);
  EXPECT_EQ(explained.error().message, "no entry of `models` is named \"smart\"");
}

TEST(Explaining, a_model_that_is_misspelt_names_the_nearest) {
  const ConfigOutcome outcome =
      parse_config("providers: {m: {dialect: mock}}\nmodels: {smart: m/a}\n", "weir.yaml", {}, {});
  const auto explained = explain_effective(outcome, "smrt");
  ASSERT_FALSE(explained);
  EXPECT_EQ(explained.error().message, "no entry of `models` is named \"smrt\"; did you mean \"smart\"?");
}

TEST_F(ConfigFolder, adds_the_models_file_beside_the_config) {
  const fs::path file = write("weir.yaml", "providers: {m: {dialect: mock}}\nmodels: {smart: m/a}\n");
  write("models.yaml",
        "- {name: llama, base_url: \"http://10.0.0.7:8000/v1\", model: meta/llama-3, api_key: $KEY}\n"
        "- name: org/qwen 3\n  base_url: http://10.0.0.8/v1\n");
  const ConfigOutcome outcome = load_config(file, {{"KEY", "sk-x"}});
  ASSERT_EQ(outcome.errors,
            std::vector<std::string>{(folder_ / "models.yaml").string() +
                                     ":2: models.org/qwen 3: a model's name has at most 256 bytes and no "
                                     "blanks"});
  write("models.yaml",
        "models:\n- {name: llama, base_url: \"http://10.0.0.7:8000/v1\", model: meta/llama-3, api_key: $KEY}\n"
        "- name: org/qwen3\n  base_url: http://10.0.0.8/v1\n  timeouts: {first_token: 9}\n");
  const ConfigOutcome mended = load_config(file, {{"KEY", "sk-x"}});
  ASSERT_TRUE(mended.config) << mended.errors.front();
  ASSERT_EQ(mended.config->providers.size(), 3U);
  EXPECT_EQ(mended.config->providers[1].name, "llama");
  EXPECT_EQ(mended.config->providers[1].keys.at(0).value.reveal(), "sk-x");
  EXPECT_EQ(mended.config->providers[2].name, "org-qwen3");
  EXPECT_EQ(mended.config->providers[2].base_url.text, "http://10.0.0.8/v1");
  const routing::Target& llama = mended.config->models.exact.at("llama").steps.at(0).any_of.at(0);
  EXPECT_EQ(llama.model, "meta/llama-3");
  const routing::Target& qwen = mended.config->models.exact.at("org/qwen3").steps.at(0).any_of.at(0);
  EXPECT_EQ(qwen.provider + " " + qwen.model, "org-qwen3 org/qwen3");
  EXPECT_EQ(qwen.timeouts.first_token, std::chrono::seconds(9));
}

TEST_F(ConfigFolder, names_every_file_whose_change_may_matter) {
  const fs::path key = write("key", "sk-x\n");
  const fs::path file =
      write("weir.yaml", "providers: {m: {dialect: openai, keys: [\"${file:" + key.string() + "}\"]}}\n");
  const std::vector<std::string> files{file.string(), (folder_ / ".env").string(), (folder_ / "models.yaml").string(),
                                       key.string()};
  EXPECT_EQ(load_config(file, {}).files, files);
  write("weir.yaml", "providers: [");
  EXPECT_EQ(load_config(file, {}).files, std::vector<std::string>(files.begin(), files.end() - 1));
}

}  // namespace
}  // namespace weir::app
