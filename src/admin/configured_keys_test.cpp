#include "admin/configured_keys.hpp"

#include <gtest/gtest.h>

#include "auth/key_rules.hpp"
#include "observe/json_time.hpp"

namespace weir::admin {
namespace {

using Ids = std::vector<std::string>;

store::ApiKey row(std::string id, std::string tenant = "default") {
  store::ApiKey key;
  key.id = std::move(id);
  key.tenant = std::move(tenant);
  key.role = "user";
  return key;
}

Ids listed(std::vector<store::ApiKey> page, const store::KeyQuery& query) {
  add_configured(page, query, {row("config:c"), row("config:b", "acme"), row("config:a")});
  Ids ids;
  for (const store::ApiKey& key : page) {
    ids.push_back(key.id);
  }
  return ids;
}

TEST(ConfiguredKeys, are_shown_with_all_that_is_known_and_nothing_secret) {
  auth::Key key;
  key.id = "config:team \"a\"";
  key.label = "team \"a\"";
  key.role = auth::Role::operator_;
  key.active = false;
  key.tenant = "acme";
  key.user = "ada";
  key.models = {"gpt-*", "a\"b"};
  key.endpoints = {"/v1/*"};
  key.ip_allow = {*platform::parse_network("10.0.0.0/8"), *platform::parse_network("192.0.2.7"),
                  *platform::parse_network("fd00::/8")};
  key.expires_at = observe::parse_rfc3339("2027-01-31");
  key.rules = std::make_shared<const auth::KeyRules>(
      auth::KeyRules{.limits = *limits::parse_rules(R"({"requests":"300/1m"})"),
                     .budgets = *ledger::parse_budget_rules(R"([{"usd":1}])", R"([{"tokens":7}])"),
                     .limits_as_written = R"({"requests":"300/60s"})"});
  const store::ApiKey shown = row_of_configured(key);
  EXPECT_EQ(shown.role, "operator");
  EXPECT_FALSE(shown.active);
  EXPECT_EQ(shown.models, R"(["gpt-*","a\"b"])");
  EXPECT_EQ(shown.endpoints, R"(["/v1/*"])");
  EXPECT_EQ(shown.ip_allow, R"(["10.0.0.0/8","192.0.2.7","fd00::/8"])");
  EXPECT_EQ(shown.limits, R"({"requests":"300/60s"})");
  EXPECT_TRUE(shown.budgets.contains(R"("usd":1)")) << shown.budgets;
  EXPECT_TRUE(shown.quotas.contains(R"("tokens":7)")) << shown.quotas;
  EXPECT_EQ(shown.expires_at, "2027-01-31T00:00:00.000Z");
  EXPECT_EQ(shown.hash + shown.prefix + shown.created_at + shown.last_used_at, "");
}

TEST(ConfiguredKeys, stand_behind_those_of_the_store_page_by_page) {
  EXPECT_EQ(listed({row("key_2"), row("key_1")}, {}), (Ids{"key_2", "key_1", "config:c", "config:b", "config:a"}));
  EXPECT_EQ(listed({row("key_2"), row("key_1")}, {.limit = 2}), (Ids{"key_2", "key_1"}));
  EXPECT_EQ(listed({row("key_1")}, {.after = "key_2", .limit = 2}), (Ids{"key_1", "config:c"}));
  EXPECT_EQ(listed({}, {.after = "config:c", .limit = 2}), (Ids{"config:b", "config:a"}));
  EXPECT_EQ(listed({}, {.after = "config:a"}), Ids{});
}

TEST(ConfiguredKeys, are_listed_by_what_was_asked_for) {
  EXPECT_EQ(listed({}, {.tenant = "acme"}), Ids{"config:b"});
  EXPECT_EQ(listed({}, {.role = "admin"}), Ids{});
  EXPECT_EQ(listed({}, {.label = "x"}), Ids{});
  EXPECT_EQ(listed({}, {.active = false}), Ids{});
  EXPECT_EQ(listed({}, {.active = true}).size(), 3U);
}

TEST(ConfiguredKeys, are_changed_in_the_configuration) {
  const std::vector<store::ApiKey> configured = {row("config:a")};
  const auto refused = refuse_configured(configured, "config:a");
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, Code::conflict);
  EXPECT_TRUE(refused->message.contains("auth.keys")) << refused->message;
  EXPECT_EQ(refuse_configured(configured, "config:gone"), std::nullopt);
  EXPECT_EQ(refuse_configured(configured, "key_1"), std::nullopt);
}

}  // namespace
}  // namespace weir::admin
