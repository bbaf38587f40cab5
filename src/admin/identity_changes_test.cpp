#include "admin/identity_changes.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "admin/key_document.hpp"

namespace weir::admin {
namespace {

using namespace std::chrono_literals;

class IdentityChanges : public testing::Test {
 protected:
  std::unique_ptr<store::Store> store = store::make_memory_store();
  Actor actor{.label = "ops",
              .key_id = "key_ops",
              .role = "admin",
              .address = "192.0.2.1",
              .request_id = "req_1",
              .now = platform::WallTime{1'800'000'000s}};  // 2027-01-15T08:00:00Z

  store::ApiKey make(const std::string& id, const std::string& tenant = "default") {
    store::ApiKey key = default_key();
    key.id = id;
    key.hash = "hash of " + id;
    key.prefix = "wr-abc";
    key.tenant = tenant;
    const auto created = create_key(*store, actor, key);
    EXPECT_TRUE(created.has_value()) << created.error().message;
    return *created;
  }
  store::Tenant tenant(const std::string& id, const std::string& parent = "") {
    store::Tenant made;
    made.id = made.name = id;
    made.parent = parent;
    const auto created = create_tenant(*store, actor, made);
    EXPECT_TRUE(created.has_value()) << created.error().message;
    return *created;
  }
  std::vector<std::string> story() {
    std::vector<std::string> lines;
    for (const store::AuditEntry& entry : *store->audit().list({})) {
      lines.insert(lines.begin(), entry.action + " " + entry.object + " " + entry.object_id);
    }
    return lines;
  }
};

using Lines = std::vector<std::string>;

TEST_F(IdentityChanges, are_all_in_the_audit_log_with_who_did_it) {
  make("key_a");
  ASSERT_TRUE(change_key(*store, actor, "key_a", R"({"label":"new"})").has_value());
  ASSERT_TRUE(rotate_key(*store, actor, "key_a", {.hash = "other hash", .prefix = "wr-xyz"}, 1h).has_value());
  ASSERT_TRUE(revoke_key(*store, actor, "key_a").has_value());
  tenant("acme");
  ASSERT_TRUE(change_tenant(*store, actor, "acme", R"({"name":"Acme"})").has_value());
  ASSERT_TRUE(remove_tenant(*store, actor, "acme").has_value());
  EXPECT_EQ(story(), (Lines{"create key key_a", "update key key_a", "rotate key key_a", "revoke key key_a",
                            "create tenant acme", "update tenant acme", "delete tenant acme"}));
  const auto entries = store->audit().list({});
  const store::AuditEntry& update = entries->at(5);
  EXPECT_EQ(update.actor, "ops");
  EXPECT_EQ(update.actor_key_id, "key_ops");
  EXPECT_EQ(update.actor_role, "admin");
  EXPECT_EQ(update.address, "192.0.2.1");
  EXPECT_EQ(update.request_id, "req_1");
  EXPECT_EQ(update.time, "2027-01-15T08:00:00.000Z");
  EXPECT_EQ(boost::json::parse(update.before).at("label"), "");
  EXPECT_EQ(boost::json::parse(update.after).at("label"), "new");
  for (const store::AuditEntry& entry : *entries) {
    EXPECT_FALSE(audit_to_json(entry).contains("hash")) << audit_to_json(entry);
    boost::system::error_code failed;
    boost::json::parse(audit_to_json(entry), failed);
    EXPECT_FALSE(failed) << audit_to_json(entry);
  }
}

TEST_F(IdentityChanges, that_change_nothing_leave_no_line) {
  make("key_a");
  tenant("acme");
  EXPECT_TRUE(change_key(*store, actor, "key_a", "{}").has_value());
  EXPECT_TRUE(change_key(*store, actor, "key_a", R"({"active":true})").has_value());
  EXPECT_TRUE(change_tenant(*store, actor, "acme", R"({"name":"acme"})").has_value());
  EXPECT_EQ(story().size(), 2U);
}

TEST_F(IdentityChanges, that_are_refused_change_nothing_and_leave_no_line) {
  const store::ApiKey before = make("key_a");
  const auto wrong = change_key(*store, actor, "key_a", R"({"label":"half", "role":"root"})");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Code::invalid_request);
  EXPECT_EQ(store->keys().find("key_a"), before);
  EXPECT_EQ(change_key(*store, actor, "key_b", "{}").error().code, Code::not_found);
  EXPECT_EQ(revoke_key(*store, actor, "key_b").error().code, Code::not_found);
  EXPECT_EQ(rotate_key(*store, actor, "key_b", {}, 1h).error().code, Code::not_found);
  EXPECT_EQ(change_tenant(*store, actor, "acme", "{}").error().code, Code::not_found);
  EXPECT_EQ(remove_tenant(*store, actor, "acme").error().code, Code::not_found);
  EXPECT_EQ(story(), Lines{"create key key_a"});
}

TEST_F(IdentityChanges, keep_the_key_before_a_rotation_for_the_overlap) {
  make("key_a");
  const auto rotated = rotate_key(*store, actor, "key_a", {.hash = "second", .prefix = "wr-two"}, 90min);
  ASSERT_TRUE(rotated.has_value());
  EXPECT_EQ(rotated->hash, "second");
  EXPECT_EQ(rotated->prefix, "wr-two");
  EXPECT_EQ(rotated->previous_hash, "hash of key_a");
  EXPECT_EQ(rotated->previous_expires_at, "2027-01-15T09:30:00.000Z");
  const auto at_once = rotate_key(*store, actor, "key_a", {.hash = "third", .prefix = "wr-three"}, 0s);
  EXPECT_EQ(at_once->hash, "third");
  EXPECT_EQ(at_once->previous_hash, "");
  EXPECT_EQ(at_once->previous_expires_at, "");
}

TEST_F(IdentityChanges, let_a_key_name_tenants_that_are_there_or_could_be) {
  const ConfiguredTenants configured = {{"The R&D Team", ""}};
  make("key_a", "not-yet");
  for (const std::string_view tenant : {"a b", "\u00e9", "../x", "*", "config:x", "The R&D Team"}) {
    store::ApiKey key = default_key();
    key.id = "key_b";
    key.tenant = tenant;
    const auto made = create_key(*store, actor, key);
    ASSERT_FALSE(made.has_value()) << tenant;
    EXPECT_TRUE(made.error().message.starts_with("tenant: ")) << made.error().message;
    const std::string document = fmt::format(R"({{"tenant":"{}"}})", tenant);
    EXPECT_EQ(change_key(*store, actor, "key_a", document).error().code, Code::invalid_request) << tenant;
  }
  EXPECT_TRUE(change_key(*store, actor, "key_a", R"({"tenant":"The R&D Team"})", configured).has_value());
  EXPECT_TRUE(change_key(*store, actor, "key_a", R"({"label":"x"})").has_value()) << "the configuration had it once";
}

TEST_F(IdentityChanges, say_where_a_tenant_of_the_configuration_stands) {
  const ConfiguredTenants configured = {{"fixed", ""}, {"acme", ""}};
  const store::Tenant acme = tenant("acme");
  EXPECT_EQ(or_configured(find_tenant(*store, "acme"), "acme", configured, Code::conflict), acme) << "the store has it";
  const auto fixed = or_configured(find_tenant(*store, "fixed"), "fixed", configured, Code::conflict);
  ASSERT_FALSE(fixed.has_value());
  EXPECT_EQ(fixed.error().code, Code::conflict);
  EXPECT_TRUE(fixed.error().message.contains("configuration")) << fixed.error().message;
  EXPECT_EQ(or_configured(find_tenant(*store, "none"), "none", configured, Code::conflict).error().code,
            Code::not_found);
}

TEST_F(IdentityChanges, revoke_for_good) {
  make("key_a");
  ASSERT_TRUE(rotate_key(*store, actor, "key_a", {.hash = "second", .prefix = "wr-two"}, 1h).has_value());
  const auto revoked = revoke_key(*store, actor, "key_a");
  ASSERT_TRUE(revoked.has_value());
  EXPECT_FALSE(revoked->active);
  EXPECT_EQ(revoked->revoked_at, "2027-01-15T08:00:00.000Z");
  EXPECT_EQ(revoked->previous_hash, "") << "the key before opens nothing either";
  actor.now += 1h;
  EXPECT_EQ(*revoke_key(*store, actor, "key_a"), *revoked);
  EXPECT_EQ(change_key(*store, actor, "key_a", R"({"active":true})").error().code, Code::conflict);
  EXPECT_EQ(rotate_key(*store, actor, "key_a", {.hash = "x", .prefix = ""}, 1h).error().code, Code::conflict);
  EXPECT_EQ(store->keys().find("key_a"), *revoked);
  EXPECT_EQ(story().size(), 3U);
}

TEST_F(IdentityChanges, keep_tenants_a_tree) {
  tenant("a");
  tenant("b", "a");
  tenant("c", "b");
  const auto move = [&](const std::string& id, const std::string& parent) {
    const auto moved = change_tenant(*store, actor, id, fmt::format(R"({{"parent":"{}"}})", parent));
    return moved ? "" : moved.error().message;
  };
  EXPECT_TRUE(move("a", "c").contains("belongs to `a` itself"));
  EXPECT_TRUE(move("a", "a").contains("belongs to `a` itself"));
  EXPECT_TRUE(move("b", "aa").contains("no tenant `aa`"));
  EXPECT_EQ(move("c", "a"), "");
  store::Tenant orphan;
  orphan.id = orphan.name = "d";
  orphan.parent = "nobody";
  EXPECT_EQ(create_tenant(*store, actor, orphan).error().code, Code::invalid_request);
  orphan.parent = "";
  orphan.id = "a";
  EXPECT_EQ(create_tenant(*store, actor, orphan).error().code, Code::conflict);
}

TEST_F(IdentityChanges, keep_the_tree_low) {
  tenant("t1");
  for (int depth = 2; depth <= 8; ++depth) {
    tenant(fmt::format("t{}", depth), fmt::format("t{}", depth - 1));
  }
  store::Tenant ninth;
  ninth.id = ninth.name = "t9";
  ninth.parent = "t8";
  EXPECT_TRUE(create_tenant(*store, actor, ninth).error().message.contains("8 deep"));
  tenant("root");
  EXPECT_TRUE(change_tenant(*store, actor, "t1", R"({"parent":"root"})").error().message.contains("8 deep"))
      << "what is below counts too";
  EXPECT_TRUE(change_tenant(*store, actor, "t2", R"({"parent":"root"})").has_value());
}

TEST_F(IdentityChanges, know_the_tenants_of_the_configuration_as_parents) {
  const ConfiguredTenants configured = {{"company", ""}, {"division", "company"}};
  store::Tenant team;
  team.id = team.name = "team";
  team.parent = "division";
  EXPECT_TRUE(create_tenant(*store, actor, team).error().message.contains("no tenant `division`"));
  ASSERT_TRUE(create_tenant(*store, actor, team, configured).has_value());
  const auto move = [&](const std::string& parent) {
    const auto moved = change_tenant(*store, actor, "team", fmt::format(R"({{"parent":"{}"}})", parent), configured);
    return moved ? "" : moved.error().message;
  };
  EXPECT_TRUE(move("divison").contains("did you mean \"division\"?")) << move("divison");
  EXPECT_EQ(move("company"), "");
  EXPECT_EQ(move("division"), "");
  store::Tenant next = team;
  for (int depth = 4; depth <= 8; ++depth) {
    next.parent = next.id;
    next.id = next.name = fmt::format("t{}", depth);
    EXPECT_TRUE(create_tenant(*store, actor, next, configured).has_value()) << depth;
  }
  next.parent = next.id;
  next.id = next.name = "t9";
  EXPECT_TRUE(create_tenant(*store, actor, next, configured).error().message.contains("8 deep"));
  EXPECT_EQ(notice_about_tenant(*store, "company", configured), "");
}

TEST_F(IdentityChanges, remove_no_tenant_that_is_needed) {
  tenant("acme");
  tenant("team", "acme");
  make("key_a", "team");
  EXPECT_EQ(remove_tenant(*store, actor, "acme").error().code, Code::conflict);
  EXPECT_TRUE(remove_tenant(*store, actor, "team").error().message.contains("key_a"));
  ASSERT_TRUE(revoke_key(*store, actor, "key_a").has_value());
  EXPECT_TRUE(remove_tenant(*store, actor, "team").has_value());
  EXPECT_TRUE(remove_tenant(*store, actor, "acme").has_value());
}

TEST_F(IdentityChanges, tell_of_a_tenant_that_is_not_there) {
  tenant("research");
  EXPECT_EQ(notice_about_tenant(*store, "default"), "");
  EXPECT_EQ(notice_about_tenant(*store, "research"), "");
  EXPECT_TRUE(notice_about_tenant(*store, "reserch")->contains("did you mean \"research\"?"));
}

}  // namespace
}  // namespace weir::admin
