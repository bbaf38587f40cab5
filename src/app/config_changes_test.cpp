#include "app/config_changes.hpp"

#include <gtest/gtest.h>

#include "app/config_load.hpp"

namespace weir::app {
namespace {

using Lines = std::vector<std::string>;

Config config_of(const std::string& text) {
  const ConfigOutcome outcome = parse_config(text, "weir.yaml", {}, {});
  EXPECT_TRUE(outcome.config) << (outcome.errors.empty() ? "" : outcome.errors.front());
  return outcome.config.value_or(Config{});
}

const std::string base =
    "providers:\n  a: {dialect: openai, base_url: \"http://a/v1\", keys: [sk-1]}\n  m: {dialect: mock}\n"
    "models: {x: a/x}\n";

std::string with(std::string text, const std::string& from, const std::string& to) {
  EXPECT_NE(text.find(from), std::string::npos);
  return text.replace(text.find(from), from.size(), to);
}

bool keeps_a(const std::string& after) {
  const Config old_config = config_of(base);
  const Config new_config = config_of(after);
  return same_provider(old_config, old_config.providers[0], new_config, new_config.providers[0]);
}

TEST(SameProvider, survives_what_does_not_concern_its_connections) {
  EXPECT_TRUE(keeps_a(base));
  EXPECT_TRUE(keeps_a(base + "timeouts: {total: 1m}\nretry: {attempts: 1}\nlisten: 127.0.0.1:9000\n"));
  EXPECT_TRUE(keeps_a(with(base, "keys: [sk-1]", "keys: [sk-1], timeouts: {first_token: 1s}, retry: {attempts: 2}")));
  EXPECT_TRUE(keeps_a(with(base, "x: a/x", "y: a/y")));
}

TEST(SameProvider, is_another_one_with_other_credentials_address_headers_or_client_options) {
  EXPECT_FALSE(keeps_a(with(base, "sk-1", "sk-2")));
  EXPECT_FALSE(keeps_a(with(base, "sk-1", "sk-1, sk-2")));
  EXPECT_FALSE(keeps_a(with(base, "http://a/v1", "http://b/v1")));
  EXPECT_FALSE(keeps_a(with(base, "keys: [sk-1]", "keys: [sk-1], headers: {x-team: blue}")));
  EXPECT_FALSE(keeps_a(base + "http_client: {pool_limits: {keepalive_timeout: 1s}}\n"));
}

TEST(Changes, are_told_by_what_is_different) {
  const Config old_config = config_of(base);
  EXPECT_EQ(describe_changes(old_config, old_config), Lines{});
  EXPECT_EQ(
      describe_changes(old_config,
                       config_of(with(with(base, "sk-1", "sk-2"), "  m: {dialect: mock}", "  n: {dialect: mock}"))),
      (Lines{"providers added: n", "providers changed: a", "providers removed: m", "models, limits or retry changed"}));
  EXPECT_EQ(describe_changes(old_config, config_of(base + "retry: {attempts: 1}\n")),
            Lines{"models, limits or retry changed"});
}

TEST(Restart, is_needed_for_what_the_process_was_started_with) {
  const Config old_config = config_of(base);
  EXPECT_EQ(needs_restart(old_config, config_of(base + "retry: {attempts: 1}\nlog: {level: debug}\n")), Lines{});
  EXPECT_EQ(
      needs_restart(old_config, config_of(base + "listen: [127.0.0.1:8001]\nserver: {workers: 3, head_max: 8KiB}\n"
                                                 "log: {file: /var/log/weir}\ndata_dir: /data\n")),
      (Lines{"listen: 127.0.0.1:8000 stays until a restart; the configuration now says 127.0.0.1:8001",
             "server.workers: 0 stays until a restart; the configuration now says 3",
             "server.head_max: 65536 stays until a restart; the configuration now says 8192",
             "log.file: standard error stays until a restart; the configuration now says /var/log/weir",
             "data_dir: ./weir-data stays until a restart; the configuration now says /data"}));
}

}  // namespace
}  // namespace weir::app
