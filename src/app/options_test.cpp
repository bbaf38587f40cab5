#include "app/options.hpp"

#include "app/config_load.hpp"
#include "app/test_options.hpp"
#include "settings/schema.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace weir::app {
namespace {

using settings::Option;
using settings::Type;

TEST(OptionTable, says_of_each_option_what_it_does_and_how_it_looks) {
  const auto schema = option_schema();
  EXPECT_GT(schema->options().size(), 150U);
  for (const Option& option : schema->options()) {
    EXPECT_TRUE(option.sentence.ends_with('.')) << option.path;
    EXPECT_TRUE(option.type == Type::section || !option.example.empty()) << option.path;
    EXPECT_EQ(option.type == Type::choice, !option.words.empty()) << option.path;
    EXPECT_TRUE(option.type != Type::integer || !option.form.empty() || option.state != settings::State::built)
        << option.path;
  }
}

TEST(OptionTable, has_examples_that_are_values_of_their_options) {
  const auto schema = option_schema();
  for (const Option& option : schema->options()) {
    const bool plain = !option.example.empty() && !option.example.starts_with('[') && !option.example.starts_with('"');
    if (option.type != Type::section && plain) {
      EXPECT_EQ(settings::complaint(option, option.example), "") << option.path;
    }
  }
}

TEST(OptionTable, agrees_with_the_defaults_of_the_typed_config) {
  const ConfigOutcome outcome = parse_config("providers: {m: {dialect: mock}}\n", "weir.yaml", {}, {});
  ASSERT_TRUE(outcome.config);
  const Config& read = *outcome.config;
  const Config plain;
  EXPECT_EQ(read.listen, plain.listen);
  EXPECT_EQ(read.timeouts, plain.timeouts);
  EXPECT_EQ(read.retry, plain.retry);
  EXPECT_EQ(read.data_dir, plain.data_dir);
  EXPECT_EQ(read.environment, plain.environment);
  EXPECT_EQ(read.auth.mode, plain.auth.mode);
  EXPECT_EQ(read.log.level, plain.log.level);
  EXPECT_EQ(read.log.requests, plain.log.requests);
  EXPECT_EQ(read.log.file, plain.log.file);
  EXPECT_EQ(read.server.workers, plain.server.workers);
  EXPECT_EQ(read.server.worker_connections, plain.server.worker_connections);
  EXPECT_EQ(read.server.body_max, plain.server.body_max);
  EXPECT_EQ(read.server.head_max, plain.server.head_max);
  EXPECT_EQ(read.server.head_timeout, plain.server.head_timeout);
  EXPECT_EQ(read.server.body_timeout, plain.server.body_timeout);
  EXPECT_EQ(read.server.idle_timeout, plain.server.idle_timeout);
  EXPECT_EQ(read.server.drain_timeout, plain.server.drain_timeout);
  EXPECT_EQ(read.http_client.max_connections, plain.http_client.max_connections);
  EXPECT_EQ(read.http_client.max_keepalive_connections, plain.http_client.max_keepalive_connections);
  EXPECT_EQ(read.http_client.keepalive_timeout, plain.http_client.keepalive_timeout);
  EXPECT_EQ(read.http_client.dns_cache_ttl, plain.http_client.dns_cache_ttl);
  EXPECT_EQ(read.http_client.tcp_keepalive, plain.http_client.tcp_keepalive);
  EXPECT_EQ(read.http_client.tcp_keepalive_idle, plain.http_client.tcp_keepalive_idle);
  EXPECT_EQ(read.http_client.tcp_keepalive_interval, plain.http_client.tcp_keepalive_interval);
  EXPECT_EQ(read.http_client.tcp_keepalive_count, plain.http_client.tcp_keepalive_count);
  ASSERT_EQ(read.providers.size(), 1U);
  EXPECT_EQ(read.providers[0].mock, MockOptions{});
}

TEST(OptionTable, has_every_variable_and_alias_point_to_an_option) {
  const auto schema = option_schema();
  for (const settings::NamedVariable& variable : option_variables().named) {
    EXPECT_NE(schema->find(variable.path), nullptr) << variable.name;
  }
  for (const auto& [name, path] : option_aliases()) {
    EXPECT_NE(schema->find(path), nullptr) << name;
  }
}

TEST(OptionTable, has_no_option_that_the_environment_cannot_set) {
  const auto schema = option_schema();
  const auto absent = [](const std::string&) -> Result<std::string> { return fail(Code::io_error, "absent"); };
  std::size_t tried = 0;
  for (const Option& option : schema->options()) {
    if (option.type == Type::section || option.path.contains('[')) {
      continue;
    }
    const std::string name = as_variable_name(option.path);
    const ConfigOutcome outcome = parse_config(
        "providers: {home: {dialect: openai, base_url: \"https://h/v1\"}, openai: {dialect: ollama}}\n"
        "models: {home: home/x, smart: home/x}\n",
        "weir.yaml", {{name, as_variable_text(option.example)}}, absent);
    ++tried;
    for (const std::string& notice : outcome.notices) {
      EXPECT_FALSE(notice.starts_with(name + ": ignored")) << notice;
    }
    for (const std::string& error : outcome.errors) {
      // `x: is no such value` would mean that the example never came as far as its option.
      EXPECT_FALSE(error.starts_with(name) && error.contains(" is n")) << error;
    }
  }
  EXPECT_GT(tried, 120U);
}

TEST(OptionTable, is_what_the_configuration_page_shows) {
  const auto page = std::filesystem::path(__FILE__).parent_path() / ".." / ".." / "docs" / "configuration.md";
  auto text = read_small_file(page.string());
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, options_markdown()) << "write the page anew: weir help options --markdown > docs/configuration.md";
}

TEST(OptionHelp, has_a_line_for_each_option_that_is_documented) {
  const std::string help = options_help();
  EXPECT_NE(
      help.find("retry.attempts: whole number (attempts), 1 to 20\n    Attempts per target, the first one included. "
                "Default: 3.\n"),
      std::string::npos);
  EXPECT_NE(help.find("caching.exact.ttl: duration\n    How long an answer is kept. Default: 30m. Not built yet.\n"),
            std::string::npos);
  EXPECT_EQ(help.find("providers.*.retry.attempts"), std::string::npos);
}

}  // namespace
}  // namespace weir::app
