#include "app/gates.hpp"

#include <gtest/gtest.h>

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr platform::WallTime now{1'800'000'000s};

CallerKey configured(std::string name, bool active, std::optional<platform::WallTime> expires_at = std::nullopt) {
  CallerKey key;
  key.value = Secret("the-value-of-" + name);
  key.key.id = "config:" + name;
  key.key.label = std::move(name);
  key.key.active = active;
  key.key.expires_at = expires_at;
  return key;
}

auth::KeyTable::Entry stored(std::uint8_t hash, const CallerKey& key) {
  return {.hash = {hash}, .key = std::make_shared<const auth::Key>(key.key)};
}

TEST(Gates, count_keys_by_their_state) {
  AuthConfig auth;
  auth.keys = {configured("good", true), configured("off", false), configured("old", true, now - 1s),
               configured("now", true, now), configured("soon", true, now + 1s)};
  Gates gates(auth, true);
  const auto expect = [&](std::size_t active, std::size_t inactive, std::size_t expired, platform::WallTime at) {
    const Gates::KeyCounts counted = gates.count(at);
    EXPECT_EQ(counted.active, active);
    EXPECT_EQ(counted.inactive, inactive);
    EXPECT_EQ(counted.expired, expired);
  };
  expect(2, 1, 2, now);
  expect(1, 1, 3, now + 1s);
  auth::StoredKeys keys;
  keys.entries.push_back(stored(1, configured("a", true)));
  keys.entries.push_back(stored(2, configured("a", true)));
  keys.entries.back().until = now + 1h;  // what it was before its rotation
  keys.entries.push_back(stored(3, configured("b", false)));
  EXPECT_TRUE(gates.use_stored(keys).entries.empty());
  expect(3, 2, 2, now);
  EXPECT_EQ(gates.use_stored({}).entries.size(), 3U) << "what was";
  expect(2, 1, 2, now);
  auth.keys.clear();
  auth.admin_key = Secret("the-admin-key");
  gates.use(auth);
  expect(1, 0, 0, now);
}

}  // namespace
}  // namespace weir::app
