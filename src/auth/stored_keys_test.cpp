#include "auth/stored_keys.hpp"

#include <gtest/gtest.h>

#include "auth/gate.hpp"
#include "auth/key_rules.hpp"
#include "observe/json_time.hpp"

namespace weir::auth {
namespace {

using namespace std::chrono_literals;

store::ApiKey row(std::string id, char hash) {
  store::ApiKey made;
  made.id = std::move(id);
  made.hash = std::string(32, hash);
  made.label = "label of " + made.id;
  made.role = "user";
  made.tenant = "default";
  return made;
}

StoredKeys read_stored_keys(std::span<const store::ApiKey> rows) {
  StoredKeys keys;
  add_stored_keys(keys, rows);
  return keys;
}

KeyHash hash_of(char byte) {
  KeyHash hash{};
  hash.fill(static_cast<std::uint8_t>(byte));
  return hash;
}

TEST(StoredKeys, have_all_that_a_row_says) {
  store::ApiKey full = row("key_1", 'a');
  full.role = "operator";
  full.tenant = "team";
  full.user = "ada";
  full.active = false;
  full.models = R"([ "gpt-\u002a", "local/*" ])";
  full.endpoints = R"(["/v1/embeddings"])";
  full.ip_allow = R"(["10.0.0.0/8", "::1"])";
  full.expires_at = "2027-01-31T18:00:00Z";
  full.limits = R"({"requests": "100/60s", "in_flight": 8})";
  full.budgets = R"([{"usd": 1.00, "period": "day", "hard": true}])";
  full.quotas = R"([{"tokens": 100000, "period": "month", "count": "total"}])";
  const StoredKeys read = read_stored_keys(std::span(&full, 1));
  ASSERT_EQ(read.entries.size(), 1U) << (read.unusable.empty() ? "" : read.unusable.front());
  const Key& key = *read.entries.front().key;
  EXPECT_EQ(read.entries.front().hash, hash_of('a'));
  EXPECT_EQ(key.id, "key_1");
  EXPECT_EQ(key.label, "label of key_1");
  EXPECT_EQ(key.role, Role::operator_);
  EXPECT_EQ(key.tenant, "team");
  EXPECT_EQ(key.user, "ada");
  EXPECT_FALSE(key.active);
  EXPECT_EQ(key.models, (std::vector<std::string>{"gpt-*", "local/*"}));
  EXPECT_EQ(key.endpoints, (std::vector<std::string>{"/v1/embeddings"}));
  EXPECT_TRUE(key.may_come_from("10.1.2.3"));
  EXPECT_TRUE(key.may_come_from("::1"));
  EXPECT_FALSE(key.may_come_from("192.0.2.1"));
  EXPECT_EQ(key.expires_at, observe::parse_rfc3339("2027-01-31T18:00:00Z"));
  ASSERT_NE(key.rules, nullptr);
  EXPECT_EQ(key.rules->limits.in_flight, 8);
  EXPECT_EQ(key.rules->limits.windows.size(), 1U);
  EXPECT_EQ(key.rules->budgets.budgets.size(), 2U);
  EXPECT_TRUE(read.any_caller);
  EXPECT_TRUE(read.any_admin);
  EXPECT_FALSE(read.any_bootstrap);
}

TEST(StoredKeys, of_a_plain_row_are_bound_to_nothing) {
  const store::ApiKey plain = row("key_1", 'a');
  const StoredKeys read = read_stored_keys(std::span(&plain, 1));
  ASSERT_EQ(read.entries.size(), 1U);
  EXPECT_EQ(read.entries.front().key->rules, nullptr);
  EXPECT_TRUE(read.entries.front().key->may_use_model("anything"));
  EXPECT_TRUE(read.entries.front().key->may_come_from("192.0.2.1"));
  EXPECT_FALSE(read.any_admin);
}

TEST(StoredKeys, leave_out_what_cannot_be_understood_rather_than_open_more) {
  const auto broken = [](auto change) {
    store::ApiKey made = row("key_1", 'a');
    change(made);
    return made;
  };
  const store::ApiKey rows[] = {
      broken([](store::ApiKey& key) { key.hash.pop_back(); }),
      broken([](store::ApiKey& key) { key.role = "owner"; }),
      broken([](store::ApiKey& key) { key.tenant = ""; }),
      broken([](store::ApiKey& key) { key.models = "{}"; }),
      broken([](store::ApiKey& key) { key.models = ""; }),
      broken([](store::ApiKey& key) { key.models = R"([1])"; }),
      broken([](store::ApiKey& key) { key.endpoints = R"(["a")"; }),
      broken([](store::ApiKey& key) { key.ip_allow = R"(["10.0.0.0/64"])"; }),
      broken([](store::ApiKey& key) { key.expires_at = "soon"; }),
      broken([](store::ApiKey& key) { key.limits = R"({"requests": "many"})"; }),
      broken([](store::ApiKey& key) { key.budgets = R"([{"usd": "x"}])"; }),
  };
  for (const store::ApiKey& one : rows) {
    const StoredKeys read = read_stored_keys(std::span(&one, 1));
    EXPECT_TRUE(read.entries.empty());
    ASSERT_EQ(read.unusable.size(), 1U);
    EXPECT_TRUE(read.unusable.front().starts_with("key_1: ")) << read.unusable.front();
    EXPECT_TRUE(read.any_caller) << "whoever made it wants keys to be asked for";
  }
}

TEST(StoredKeys, that_were_revoked_open_nothing_and_are_remembered) {
  store::ApiKey gone = row("key_1", 'a');
  gone.role = "admin";
  gone.revoked_at = "2026-01-31T18:00:00Z";
  store::ApiKey boot = row("key_2", 'b');
  boot.role = "bootstrap";
  boot.revoked_at = "2026-01-31T18:00:00Z";
  const store::ApiKey rows[] = {gone, boot};
  const StoredKeys read = read_stored_keys(rows);
  EXPECT_TRUE(read.entries.empty());
  EXPECT_TRUE(read.any_caller);
  EXPECT_TRUE(read.any_admin);
  EXPECT_FALSE(read.any_bootstrap);
}

TEST(StoredKeys, open_with_both_texts_until_the_overlap_of_a_rotation_is_over) {
  const auto hasher = KeyHasher::for_this_process();
  const auto bytes = [&](std::string_view text) {
    const KeyHash hash = (*hasher)(text);
    return std::string(hash.begin(), hash.end());
  };
  store::ApiKey rotated = row("key_1", 'a');
  rotated.hash = bytes("new");
  rotated.previous_hash = bytes("old");
  rotated.previous_expires_at = "2027-01-31T18:00:00Z";
  const Gate gate({}, hasher, std::make_shared<const KeyTable>(read_stored_keys(std::span(&rotated, 1)).entries));
  const platform::WallTime over = *observe::parse_rfc3339("2027-01-31T18:00:00Z");
  const auto at = [&](std::string_view text, platform::WallTime now) {
    return gate.caller({.state = Credential::State::one, .key = text},
                       {.endpoint = "/v1/embeddings", .client = "10.0.0.7", .now = now});
  };
  for (const platform::WallTime now : {over - 1h, over - 1us, over, over + 1h}) {
    const auto with_new = at("new", now);
    ASSERT_TRUE(with_new);
    EXPECT_EQ(with_new->key_id, "key_1");
    const auto with_old = at("old", now);
    EXPECT_EQ(with_old.has_value(), now < over);
    if (now < over) {
      EXPECT_EQ(with_old->key, with_new->key) << "limits and budgets are the same";
    } else {
      EXPECT_EQ(with_old.error().code, Code::expired_api_key);
      EXPECT_NE(with_old.error().message.find("2027-01-31T18:00:00"), std::string::npos) << with_old.error().message;
    }
  }
}

}  // namespace
}  // namespace weir::auth
