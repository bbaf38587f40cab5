// Keys, tenants and who changed them: what the interfaces promise holds for each implementation.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "store/contract_suite.hpp"

namespace weir::store {
namespace {

class IdentityContract : public ContractSuite {};

WEIR_FOR_ALL_STORES(IdentityContract);

const std::string zero_bytes("\0\xff\0'\x80", 5);

ApiKey full_key() {
  return {.id = "key_1",
          .hash = "hash" + zero_bytes,
          .previous_hash = "before" + zero_bytes,
          .previous_expires_at = "2026-11-21T10:00:00.000Z",
          .prefix = "wr-AbC",
          .label = "caf\u00e9 'quoted' \"twice\"",
          .role = "user",
          .tenant = "acme",
          .user = "ada",
          .active = false,
          .models = R"(["gpt-*","a\"b"])",
          .endpoints = R"(["/v1/chat/completions"])",
          .ip_allow = R"(["10.0.0.0/8"])",
          .limits = R"({"requests":"100/60s","tokens":"50000/1m","in_flight":8})",
          .budgets = R"([{"usd":1.00,"period":"day","hard":true}])",
          .quotas = R"([{"tokens":100000,"period":"month","count":"total"}])",
          .metadata = R"({"team":{"name":"\u00e9"},"n":1e2,"none":null})",
          .expires_at = "2027-01-01T00:00:00.000Z",
          .expires_at_written = "2027-01-01T01:00:00+01:00",
          .created_at = "2026-11-21T09:00:00.000Z",
          .updated_at = "2026-11-21T09:30:00.000Z",
          .last_used_at = "2026-11-21T09:40:00.000Z",
          .revoked_at = "2026-11-21T09:50:00.000Z"};
}

ApiKey key(int number) {
  ApiKey made;
  made.id = fmt::format("key_{:03}", number);
  made.hash = fmt::format("hash of {}", number);
  made.role = "user";
  made.tenant = "default";
  made.created_at = made.updated_at = "2026-11-21T09:00:00.000Z";
  return made;
}

Tenant tenant(const std::string& id, const std::string& parent = "") {
  Tenant made;
  made.id = id;
  made.parent = parent;
  made.name = "The " + id;
  made.created_at = made.updated_at = "2026-11-21T09:00:00.000Z";
  return made;
}

template <class Row>
std::vector<std::string> ids_of(const Result<std::vector<Row>>& rows) {
  EXPECT_TRUE(rows.has_value());
  std::vector<std::string> ids;
  for (const Row& row : *rows) {
    ids.push_back(row.id);
  }
  return ids;
}

using Ids = std::vector<std::string>;

TEST_P(IdentityContract, gives_a_key_back_as_it_was_put) {
  ASSERT_EQ(store->keys().add(full_key()), true);
  ApiKey plain = key(2);
  ASSERT_EQ(store->keys().add(plain), true);
  EXPECT_EQ(store->keys().find("key_1"), full_key());
  EXPECT_EQ(store->keys().find(plain.id), plain);
  EXPECT_EQ(*store->keys().find("key"), std::nullopt);
  EXPECT_EQ(*store->keys().find(""), std::nullopt);
}

TEST_P(IdentityContract, takes_no_second_key_with_an_id_or_a_hash_that_is_there) {
  ASSERT_EQ(store->keys().add(key(1)), true);
  ApiKey same_id = key(2);
  same_id.id = key(1).id;
  ApiKey same_hash = key(3);
  same_hash.hash = key(1).hash;
  EXPECT_EQ(store->keys().add(same_id), false);
  EXPECT_EQ(store->keys().add(same_hash), false);
  EXPECT_EQ(ids_of(store->keys().list({})), Ids{key(1).id});
  EXPECT_EQ(store->keys().find(key(1).id), key(1));
}

TEST_P(IdentityContract, changes_the_whole_row_of_a_key) {
  ASSERT_EQ(store->keys().add(key(1)), true);
  ASSERT_EQ(store->keys().add(key(2)), true);
  ApiKey changed = full_key();
  changed.id = key(1).id;
  EXPECT_EQ(store->keys().update(changed), true);
  EXPECT_EQ(store->keys().find(changed.id), changed);
  EXPECT_EQ(store->keys().find(key(2).id), key(2));
  EXPECT_EQ(store->keys().update(key(3)), false);
  EXPECT_EQ(*store->keys().find(key(3).id), std::nullopt);
}

TEST_P(IdentityContract, finds_a_key_by_its_hash_and_by_the_one_before_a_rotation) {
  ApiKey rotated = key(1);
  rotated.hash = "new" + zero_bytes;
  rotated.previous_hash = "old" + zero_bytes;
  ASSERT_EQ(store->keys().add(rotated), true);
  ASSERT_EQ(store->keys().add(key(2)), true);
  ASSERT_EQ(store->keys().add(key(3)), true);
  EXPECT_EQ(store->keys().find_by_hash("new" + zero_bytes), rotated);
  EXPECT_EQ(store->keys().find_by_hash("old" + zero_bytes), rotated);
  EXPECT_EQ(*store->keys().find_by_hash("old"), std::nullopt);
  EXPECT_EQ(*store->keys().find_by_hash(""), std::nullopt) << "most keys have no previous hash";
}

TEST_P(IdentityContract, lists_keys_the_newest_first_page_by_page) {
  for (const int number : {3, 1, 5, 2, 4}) {
    ASSERT_EQ(store->keys().add(key(number)), true);
  }
  EXPECT_EQ(ids_of(store->keys().list({})), (Ids{"key_005", "key_004", "key_003", "key_002", "key_001"}));
  EXPECT_EQ(ids_of(store->keys().list({.limit = 2})), (Ids{"key_005", "key_004"}));
  EXPECT_EQ(ids_of(store->keys().list({.after = "key_004", .limit = 2})), (Ids{"key_003", "key_002"}));
  EXPECT_EQ(ids_of(store->keys().list({.after = "key_002", .limit = 2})), Ids{"key_001"});
  EXPECT_EQ(ids_of(store->keys().list({.after = "key_001"})), Ids{});
}

TEST_P(IdentityContract, lists_the_keys_that_were_asked_for) {
  ApiKey other_tenant = key(2);
  other_tenant.tenant = "acme";
  ApiKey with_user = key(3);
  with_user.user = "ada";
  with_user.label = "laptop";
  ApiKey inactive = key(4);
  inactive.active = false;
  ApiKey revoked = key(5);
  revoked.revoked_at = "2026-11-21T09:50:00.000Z";
  ApiKey admin = key(6);
  admin.role = "admin";
  for (const ApiKey& each : {key(1), other_tenant, with_user, inactive, revoked, admin}) {
    ASSERT_EQ(store->keys().add(each), true);
  }
  const auto listed = [&](const KeyQuery& query) { return ids_of(store->keys().list(query)); };
  EXPECT_EQ(listed({.tenant = "acme"}), Ids{"key_002"});
  EXPECT_EQ(listed({.user = "ada"}), Ids{"key_003"});
  EXPECT_EQ(listed({.label = "laptop"}), Ids{"key_003"});
  EXPECT_EQ(listed({.role = "admin"}), Ids{"key_006"});
  EXPECT_EQ(listed({.active = false}), Ids{"key_004"});
  EXPECT_EQ(listed({.active = true, .revoked = true, .after = "key_006"}),
            (Ids{"key_005", "key_003", "key_002", "key_001"}));
  EXPECT_EQ(listed({}), (Ids{"key_006", "key_004", "key_003", "key_002", "key_001"}));
  EXPECT_EQ(listed({.tenant = "' OR 1 = 1 --"}), Ids{});
}

TEST_P(IdentityContract, notes_when_a_key_was_used_and_never_goes_back) {
  ASSERT_EQ(store->keys().add(key(1)), true);
  const auto used = [&](const std::string& time) {
    const KeyUse uses[] = {{.id = key(1).id, .time = time}, {.id = "key_gone", .time = time}};
    EXPECT_TRUE(store->keys().note_used(uses).has_value());
    return (*store->keys().find(key(1).id))->last_used_at;
  };
  EXPECT_EQ(used("2026-11-21T09:10:00.000Z"), "2026-11-21T09:10:00.000Z");
  EXPECT_EQ(used("2026-11-21T09:20:00.000Z"), "2026-11-21T09:20:00.000Z");
  EXPECT_EQ(used("2026-11-21T09:15:00.000Z"), "2026-11-21T09:20:00.000Z");
}

TEST_P(IdentityContract, keeps_tenants_as_they_were_put) {
  Tenant full = tenant("team", "acme");
  full.limits = R"({"in_flight":2})";
  full.budgets = R"([{"usd":10,"period":"month"}])";
  full.quotas = R"([{"tokens":1,"period":"day"}])";
  full.metadata = R"({"a":[1,2]})";
  ASSERT_EQ(store->tenants().add(tenant("acme")), true);
  ASSERT_EQ(store->tenants().add(full), true);
  EXPECT_EQ(store->tenants().add(tenant("acme")), false);
  EXPECT_EQ(store->tenants().find("team"), full);
  EXPECT_EQ(store->tenants().find("acme"), tenant("acme"));
  EXPECT_EQ(*store->tenants().find("gone"), std::nullopt);
  full.parent = "";
  full.name = "Another";
  EXPECT_EQ(store->tenants().update(full), true);
  EXPECT_EQ(store->tenants().find("team"), full);
  EXPECT_EQ(store->tenants().update(tenant("gone")), false);
}

TEST_P(IdentityContract, lists_tenants_by_their_ids) {
  for (const auto& [id, parent] : {std::pair{"b", ""}, {"a", "b"}, {"d", "b"}, {"c", ""}}) {
    ASSERT_EQ(store->tenants().add(tenant(id, parent)), true);
  }
  EXPECT_EQ(ids_of(store->tenants().list({})), (Ids{"a", "b", "c", "d"}));
  EXPECT_EQ(ids_of(store->tenants().list({.after = "b", .limit = 1})), Ids{"c"});
  EXPECT_EQ(ids_of(store->tenants().list({.parent = "b"})), (Ids{"a", "d"}));
}

TEST_P(IdentityContract, leaves_the_tree_of_tenants_to_those_who_change_it) {
  ASSERT_EQ(store->tenants().add(tenant("leaf", "of-the-configuration")), true) << "which has no row";
  EXPECT_EQ(store->tenants().find("leaf"), tenant("leaf", "of-the-configuration"));
  ASSERT_EQ(store->tenants().add(tenant("root")), true);
  EXPECT_EQ(store->tenants().update(tenant("leaf", "root")), true);
  EXPECT_EQ(ids_of(store->tenants().list({.parent = "root"})), Ids{"leaf"});
  EXPECT_EQ(store->tenants().remove("root"), true);
  EXPECT_EQ(store->tenants().find("leaf"), tenant("leaf", "root"));
  EXPECT_EQ(store->tenants().remove("leaf"), true);
  EXPECT_EQ(store->tenants().remove("leaf"), false);
  EXPECT_EQ(ids_of(store->tenants().list({})), Ids{});
}

AuditEntry change(const std::string& action, const std::string& object, const std::string& id) {
  return {.time = "2026-11-21T09:00:00.000Z", .actor = "local", .action = action, .object = object, .object_id = id};
}

TEST_P(IdentityContract, remembers_who_did_what) {
  AuditEntry full = {.time = "2026-11-21T09:05:00.000Z",
                     .actor = "ops",
                     .actor_key_id = "key_9",
                     .actor_role = "admin",
                     .address = "192.0.2.1",
                     .request_id = "req_1",
                     .action = "rotate",
                     .object = "key",
                     .object_id = "key_a",
                     .before = R"({"label":"x"})",
                     .after = R"({"label":"y"})"};
  ASSERT_TRUE(store->audit().add(change("create", "key", "key_a")).has_value());
  ASSERT_TRUE(store->audit().add(full).has_value());
  ASSERT_TRUE(store->audit().add(change("create", "tenant", "acme")).has_value());
  const auto all = store->audit().list({});
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ(all->at(0).object, "tenant");
  EXPECT_GT(all->at(0).id, all->at(1).id);
  full.id = all->at(1).id;
  EXPECT_EQ(all->at(1), full);
  EXPECT_EQ(all->at(2).before, "");

  const auto actions = [&](const AuditQuery& query) {
    std::vector<std::string> found;
    for (const AuditEntry& entry : *store->audit().list(query)) {
      found.push_back(entry.action + " " + entry.object_id);
    }
    return found;
  };
  EXPECT_EQ(actions({.object = "key"}), (Ids{"rotate key_a", "create key_a"}));
  EXPECT_EQ(actions({.actor = "ops"}), Ids{"rotate key_a"});
  EXPECT_EQ(actions({.action = "create", .object_id = "acme"}), Ids{"create acme"});
  EXPECT_EQ(actions({.from = "2026-11-21T09:05:00.000Z"}), Ids{"rotate key_a"});
  EXPECT_EQ(actions({.to = "2026-11-21T09:05:00.000Z"}), (Ids{"create acme", "create key_a"}));
  EXPECT_EQ(actions({.limit = 1}), Ids{"create acme"});
  EXPECT_EQ(actions({.after = full.id}), Ids{"create key_a"});
}

TEST_P(IdentityContract, changes_all_or_nothing) {
  ASSERT_EQ(store->keys().add(key(1)), true);
  ASSERT_EQ(store->tenants().add(tenant("gone")), true);
  const auto work = [&](bool good) {
    return store->atomically([&]() -> Result<void> {
      ApiKey changed = key(1);
      changed.label = "changed";
      EXPECT_EQ(store->keys().update(changed), true);
      EXPECT_EQ(store->keys().add(key(2)), true);
      EXPECT_EQ(store->tenants().add(tenant("acme")), true);
      EXPECT_EQ(store->tenants().remove("gone"), true);
      EXPECT_TRUE(store->audit().add(change("update", "key", "key_001")).has_value());
      EXPECT_EQ((*store->keys().find("key_001"))->label, "changed");
      return good ? Result<void>() : fail(Code::invalid_request, "planted");
    });
  };
  EXPECT_EQ(work(false).error().message, "planted");
  EXPECT_EQ(store->keys().find("key_001"), key(1));
  EXPECT_EQ(ids_of(store->keys().list({})), Ids{"key_001"});
  EXPECT_EQ(ids_of(store->tenants().list({})), Ids{"gone"});
  EXPECT_TRUE(store->audit().list({})->empty());
  EXPECT_TRUE(work(true).has_value());
  EXPECT_EQ((*store->keys().find("key_001"))->label, "changed");
  EXPECT_EQ(ids_of(store->keys().list({})), (Ids{"key_002", "key_001"}));
  EXPECT_EQ(ids_of(store->tenants().list({})), Ids{"acme"});
  EXPECT_EQ(store->audit().list({})->size(), 1U);
}

TEST_P(IdentityContract, removes_the_oldest_entries_of_the_audit_log) {
  for (int day = 1; day <= 9; ++day) {
    AuditEntry entry = change("update", "key", fmt::format("key_{}", day));
    entry.time = fmt::format("2026-11-0{}T09:00:00.000Z", day);
    ASSERT_TRUE(store->audit().add(entry).has_value());
  }
  const auto left = [&] { return store->audit().list({})->back().object_id; };
  EXPECT_EQ(store->audit().remove_oldest("2026-11-05T09:00:00.000Z", 3), 3);
  EXPECT_EQ(left(), "key_4");
  EXPECT_EQ(store->audit().remove_oldest("2026-11-05T09:00:00.000Z", 3), 1);
  EXPECT_EQ(left(), "key_5") << "the one of that moment stays";
  EXPECT_EQ(store->audit().remove_oldest("2026-11-05T09:00:00.000Z", 3), 0);
  EXPECT_EQ(store->audit().list({})->size(), 5U);
  EXPECT_EQ(store->keys().add(key(3)), true) << "outside as ever";
}

}  // namespace
}  // namespace weir::store
