#include "app/config_changes.hpp"

#include <gtest/gtest.h>

#include "app/config_load.hpp"
#include "app/options.hpp"
#include "app/test_options.hpp"

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
  EXPECT_EQ(describe_changes(old_config, config_of(with(with(base, "sk-1", "sk-2"), "  m: {dialect: mock}",
                                                        "  n: {dialect: mock}"))),
            (Lines{"providers added: n", "providers changed: a", "providers removed: m",
                   "models, timeouts or retry changed"}));
  EXPECT_EQ(describe_changes(old_config, config_of(base + "retry: {attempts: 1}\n")),
            Lines{"models, timeouts or retry changed"});
}

Lines changes_by(const std::string& more) {
  return describe_changes(config_of(base), config_of(base + more));
}

TEST(Changes, of_money_and_limits_are_told) {
  EXPECT_EQ(changes_by("limits: {per_key: {requests: 5/1h}}\n"), Lines{"limits changed"});
  EXPECT_EQ(changes_by("limits: {by_model: {x: {in_flight: 5}}}\n"), Lines{"limits changed"});
  EXPECT_EQ(changes_by("budgets: {global: [{usd: 5, period: day}]}\n"), Lines{"budgets or quotas changed"});
  EXPECT_EQ(changes_by("budgets: {max_output_tokens: 77}\n"), Lines{"budgets or quotas changed"});
  EXPECT_EQ(changes_by("quotas: {by_model: {x: [{tokens: 5, period: day}]}}\n"), Lines{"budgets or quotas changed"});
  EXPECT_EQ(changes_by("prices: {a/x: {input: 1, output: 2}}\n"), Lines{"prices changed"});
  const Config tenants = config_of(base + "tenants: {c1: {}, c2: {}, c3: {}}\n");
  EXPECT_EQ(describe_changes(tenants, config_of(base + "tenants: {c2: {parent: c3}, c3: {}, c4: {}}\n")),
            (Lines{"tenants added or changed: c2, c4", "tenants removed: c1"}));
}

TEST(Changes, of_keys_are_told_by_what_they_may_use) {
  const auto with_key = [](const std::string& requests) {
    return config_of(base + "auth: {keys: [{name: laptop, value: sk-weir-0123456789, limits: {requests: " + requests +
                     "}}]}\n");
  };
  EXPECT_EQ(describe_changes(with_key("5/1h"), with_key("5/1h")), Lines{});
  EXPECT_EQ(describe_changes(with_key("5/1h"), with_key("6/1h")), Lines{"keys added or changed: laptop"});
}

TEST(Changes, are_told_of_every_option) {
  const std::string home =
      "providers: {home: {dialect: vllm, base_url: \"https://h/v1\"}}\nmodels: {home: home/x, smart: home/x}\n";
  const auto nothing_there = [](const std::string&) -> Result<std::string> { return fail(Code::io_error, "absent"); };
  const ConfigOutcome plain = parse_config(home, "weir.yaml", {}, nothing_there);
  ASSERT_TRUE(plain.config);
  std::size_t tried = 0;
  const auto schema = option_schema();
  for (const settings::Option& option : schema->options()) {
    const bool differs = option.state == settings::State::built && option.example != option.fallback;
    if (option.type == settings::Type::section || option.path.contains('[') || !differs) {
      continue;
    }
    const ConfigOutcome outcome = parse_config(
        home, "weir.yaml", {{as_variable_name(option.path), as_variable_text(option.example)}}, nothing_there);
    if (!outcome.config || !outcome.notices.empty()) {
      continue;  // one that does not stand alone, or is of a section that is not built yet
    }
    if (option.path == "tls.min_version") {
      continue;  // it means nothing without a certificate
    }
    ++tried;
    EXPECT_FALSE(describe_changes(*plain.config, *outcome.config).empty() &&
                 needs_restart(*plain.config, *outcome.config).empty())
        << option.path << ": " << option.example;
  }
  EXPECT_GT(tried, 100U);
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
