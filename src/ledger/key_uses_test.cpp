#include "ledger/key_uses.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "store/test_store.hpp"

namespace weir::ledger {
namespace {

constexpr std::int64_t minute = 60'000;
constexpr std::int64_t day = 1'440 * minute;

std::string asked(std::string_view key_id, std::int64_t time_ms, std::string_view tenant = "0") {
  return fmt::format(R"(,{},"/v1/chat/completions",{},0,{},"label","127.0.0.1")", time_ms, tenant,
                     key_id.empty() ? "0" : fmt::format(R"("{}")", key_id));
}

/// A store whose keys can be locked, and which counts how often they are written.
class Keys final : public store::TestStore, store::ApiKeys {
 public:
  bool refuses = false;
  int writes = 0;

  explicit Keys(int count) {
    for (int i = 0; i < count; ++i) {
      store::ApiKey key;
      key.id = fmt::format("key_{}", i);
      key.hash = key.id;
      EXPECT_TRUE(memory().keys().add(key).value_or(false));
    }
  }
  std::string used(const std::string& id) { return (*memory().keys().find(id))->last_used_at; }

  store::ApiKeys& keys() override { return *this; }

 private:
  Result<bool> add(const store::ApiKey& key) override { return memory().keys().add(key); }
  Result<bool> update(const store::ApiKey& key) override { return memory().keys().update(key); }
  Result<std::optional<store::ApiKey>> find(std::string_view id) override { return memory().keys().find(id); }
  Result<std::optional<store::ApiKey>> find_by_hash(std::string_view hash) override {
    return memory().keys().find_by_hash(hash);
  }
  Result<std::vector<store::ApiKey>> list(const store::KeyQuery& query) override { return memory().keys().list(query); }
  Result<void> note_used(std::span<const store::KeyUse> uses) override {
    if (refuses) {
      return fail(Code::store_unavailable, "locked");
    }
    ++writes;
    return memory().keys().note_used(uses);
  }
};

TEST(KeyUses, tells_the_newest_time_of_each_key_at_once) {
  Keys store(3);
  KeyUses uses;
  uses.saw(asked("key_0", day + 5));
  uses.saw(asked("key_1", day + 7, R"("a \"b\",\\")"));
  uses.saw(asked("key_0", day + 1'009));
  uses.saw(asked("key_0", day));
  ASSERT_TRUE(uses.note(store).has_value());
  EXPECT_EQ(store.used("key_0"), "1970-01-02T00:00:01.009Z");
  EXPECT_EQ(store.used("key_1"), "1970-01-02T00:00:00.007Z");
  EXPECT_EQ(store.used("key_2"), "");
  EXPECT_EQ(store.writes, 1);
}

TEST(KeyUses, writes_a_key_once_a_minute) {
  Keys store(1);
  KeyUses uses;
  for (std::int64_t second = 0; second < 300; ++second) {
    uses.saw(asked("key_0", day + second * 1000));
    ASSERT_TRUE(uses.note(store).has_value());
  }
  EXPECT_EQ(store.writes, 5);
  EXPECT_EQ(store.used("key_0"), "1970-01-02T00:04:00.000Z");
}

TEST(KeyUses, a_store_that_refuses_is_told_later) {
  Keys store(1);
  store.refuses = true;
  KeyUses uses;
  uses.saw(asked("key_0", day));
  EXPECT_FALSE(uses.note(store).has_value());
  store.refuses = false;
  EXPECT_TRUE(uses.note(store).has_value());
  EXPECT_EQ(store.used("key_0"), "1970-01-02T00:00:00.000Z");
}

TEST(KeyUses, calls_without_a_key_of_the_store_write_nothing) {
  Keys store(1);
  KeyUses uses;
  for (const std::string& other :
       {asked("", day), asked("config:fixed", day), std::string(",5"), std::string(",5,0,0,0,\""),
        std::string(R"(,5,"x\)"), std::string("what"), std::string()}) {
    uses.saw(other);
  }
  EXPECT_TRUE(uses.note(store).has_value());
  EXPECT_EQ(store.writes, 0);
}

TEST(KeyUses, still_knows_recent_uses_of_many_keys_and_forgets_old_ones) {
  constexpr int many = 4'200;
  Keys store(many);
  KeyUses uses;
  const auto all = [&](std::int64_t time) {
    for (int i = 0; i < many; ++i) {
      uses.saw(asked(fmt::format("key_{}", i), time));
    }
    EXPECT_TRUE(uses.note(store).has_value());
  };
  all(day);
  all(day + minute - 1);
  EXPECT_EQ(store.writes, 1);
  all(day + minute);
  EXPECT_EQ(store.writes, 2);
  EXPECT_EQ(store.used("key_4199"), "1970-01-02T00:01:00.000Z");
}

}  // namespace
}  // namespace weir::ledger
