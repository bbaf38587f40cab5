#include "app/allowance_table.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace weir::app {
namespace {

using gateway::Allowances;

AllowanceTable::Allowances configuration(std::int64_t in_flight, std::string_view tenant = {}) {
  Allowances all;
  all.global.limits.in_flight = in_flight;
  if (!tenant.empty()) {
    all.tenants[std::string(tenant)].limits.in_flight = in_flight;
  }
  return std::make_shared<const Allowances>(std::move(all));
}

StoredTenants stored(std::string_view id, std::int64_t in_flight, std::string_view parent = {}) {
  StoredTenants tenants;
  gateway::TenantAllowance& tenant = tenants.tenants[std::string(id)];
  tenant.limits.in_flight = in_flight;
  tenant.parent = parent;
  return tenants;
}

TEST(AllowanceTable, has_nothing_to_use_where_nothing_is_limited) {
  AllowanceTable table(configuration(0));
  EXPECT_EQ(table.in_use(), nullptr);
  table.use_stored(stored("acme", 0, "group"));
  EXPECT_EQ(table.in_use(), nullptr) << "a tenant without limits costs calls nothing";
  EXPECT_NE(table.configured(), nullptr);
}

TEST(AllowanceTable, tells_the_longest_answer_also_where_keys_alone_have_budgets) {
  Allowances all;
  all.max_output_tokens = 100;
  const AllowanceTable table(std::make_shared<const Allowances>(std::move(all)));
  ASSERT_NE(table.in_use(), nullptr);
  EXPECT_EQ(table.in_use()->max_output_tokens, 100);
}

TEST(AllowanceTable, keeps_the_tenants_of_the_store_over_a_reload_and_the_other_way_round) {
  AllowanceTable table(configuration(1));
  table.use_stored(stored("acme", 5));
  ASSERT_NE(table.in_use(), nullptr);
  EXPECT_EQ(table.in_use()->global.limits.in_flight, 1);
  EXPECT_EQ(table.in_use()->of_tenant("acme").limits.in_flight, 5);
  table.use(configuration(2));
  EXPECT_EQ(table.in_use()->global.limits.in_flight, 2);
  EXPECT_EQ(table.in_use()->of_tenant("acme").limits.in_flight, 5);
  table.use_stored(stored("acme", 6));
  EXPECT_EQ(table.in_use()->global.limits.in_flight, 2);
  EXPECT_EQ(table.in_use()->of_tenant("acme").limits.in_flight, 6);
  table.use(configuration(3, "acme"));
  EXPECT_EQ(table.in_use()->of_tenant("acme").limits.in_flight, 3);
  table.use(configuration(4));
  EXPECT_EQ(table.in_use()->of_tenant("acme").limits.in_flight, 6) << "it was only behind the configuration's";
  table.use_stored({});
  EXPECT_TRUE(table.in_use()->of_tenant("acme").empty());
  EXPECT_TRUE(table.configured()->tenants.empty());
}

TEST(AllowanceTable, is_the_same_pointer_where_nothing_changed) {
  AllowanceTable table(configuration(1));
  const auto first = table.use_stored(stored("acme", 5));
  EXPECT_NE(first.before, first.now);
  const auto in_use = table.in_use();
  const auto again = table.use_stored(stored("acme", 5));
  EXPECT_EQ(again.before, again.now);
  EXPECT_EQ(table.in_use(), in_use) << "another key, say: no core has to copy its snapshot";
  table.use(configuration(1));
  EXPECT_EQ(table.in_use(), in_use);
}

TEST(AllowanceTable, knows_who_is_above_as_far_as_calls_look) {
  AllowanceTable table(configuration(0, "t0"));
  StoredTenants tenants;
  for (int depth = 1; depth < 20; ++depth) {
    tenants.tenants["t" + std::to_string(depth)].parent = "t" + std::to_string(depth - 1);
  }
  tenants.tenants["circle"].parent = "circle";
  table.use_stored(std::move(tenants));
  EXPECT_EQ(table.above("t2"), (std::vector<std::string>{"t1", "t0"})) << "also where none of them is limited";
  EXPECT_EQ(table.above("t19").size(), Allowances::tenant_levels_counted - 1);
  EXPECT_EQ(table.above("circle").size(), Allowances::tenant_levels_counted - 1);
  EXPECT_TRUE(table.above("nobody").empty());
}

TEST(AllowanceTable, loses_no_change_of_two_that_come_at_the_same_time) {
  AllowanceTable table(configuration(1));
  std::thread store([&] {
    for (std::int64_t i = 1; i <= 1000; ++i) {
      table.use_stored(stored("acme", i));
    }
  });
  for (std::int64_t i = 1; i <= 1000; ++i) {
    table.use(configuration(i));
  }
  store.join();
  EXPECT_EQ(table.in_use()->global.limits.in_flight, 1000);
  EXPECT_EQ(table.in_use()->of_tenant("acme").limits.in_flight, 1000);
}

}  // namespace
}  // namespace weir::app
