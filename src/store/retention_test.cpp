#include "store/retention.hpp"

#include <gtest/gtest.h>

#include "observe/json_time.hpp"
#include "store/test_record.hpp"

namespace weir::store {
namespace {

using namespace std::chrono_literals;

constexpr platform::WallTime now{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + 9h};

/// One call for each hour of the last ten days, each of about 1 KB.
std::unique_ptr<Store> filled() {
  auto store = make_memory_store();
  for (int hour = 0; hour < 240; ++hour) {
    InferenceLog call;
    call.id = first_id_at(now - std::chrono::hours(hour));
    call.model = std::string(1000, 'x');
    EXPECT_TRUE(put_calls(*store, std::vector{call}).has_value());
  }
  return store;
}

std::int64_t calls(Store& store) {
  const auto usage = store.requests().usage({});
  return usage->empty() ? 0 : usage->front().requests;
}

/// As the worker does it: until there is nothing to remove.
void retain_all(Store& store, const Retention& retention) {
  for (int slices = 0; slices < 1000; ++slices) {
    const auto removed = retain(store, retention, now);
    ASSERT_TRUE(removed.has_value());
    if (*removed == 0) {
      return;
    }
  }
  FAIL() << "it never ends";
}

TEST(Retention, removes_what_is_older_than_its_age) {
  const auto store = filled();
  retain_all(*store, {.age = 24h, .bytes = 0});
  EXPECT_EQ(calls(*store), 25);  // the one of exactly 24 hours stays
}

TEST(Retention, removes_the_oldest_until_the_rest_fits) {
  const auto store = filled();
  const std::int64_t before = *store->bytes();
  retain_all(*store, {.age = 0h, .bytes = before});
  EXPECT_EQ(calls(*store), 240) << "it fits";
  retain_all(*store, {.age = 0h, .bytes = before - 1});
  EXPECT_LT(*store->bytes(), before);
}

std::string entry_at(Store& store, platform::WallTime time) {
  AuditEntry entry{.time = observe::rfc3339(time), .actor = "local", .action = "update", .object = "key"};
  entry.object_id = entry.time;
  EXPECT_TRUE(store.audit().add(entry).has_value());
  return entry.time;
}

TEST(Retention, removes_entries_of_the_audit_log_by_an_age_of_their_own) {
  const auto store = make_memory_store();
  for (int day = 800; day >= 366; --day) {
    entry_at(*store, now - std::chrono::days(day));
  }
  const std::string last = entry_at(*store, now - std::chrono::days(365));
  entry_at(*store, now);
  retain_all(*store, {.age = 24h, .bytes = 1, .audit = 0h});
  EXPECT_EQ(store->audit().list({.limit = 1000})->size(), 437U) << "switched off";
  retain_all(*store, {});
  const auto left = store->audit().list({.limit = 1000});
  ASSERT_EQ(left->size(), 2U);
  EXPECT_EQ(left->back().object_id, last) << "the one of exactly that age stays";
}

TEST(Retention, keeps_everything_where_it_is_switched_off) {
  const auto store = filled();
  retain_all(*store, {.age = 0h, .bytes = 0});
  EXPECT_EQ(calls(*store), 240);
}

}  // namespace
}  // namespace weir::store
