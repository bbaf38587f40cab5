#include "app/stored_tenants.hpp"

#include <gtest/gtest.h>

namespace weir::app {
namespace {

using gateway::Allowances;
using gateway::TenantAllowance;

store::Tenant row(std::string id, std::string parent = "", std::string limits = "{}") {
  store::Tenant tenant;
  tenant.id = std::move(id);
  tenant.parent = std::move(parent);
  tenant.limits = std::move(limits);
  return tenant;
}

TenantAllowance of_configuration(std::int64_t in_flight, std::string parent = "") {
  TenantAllowance tenant;
  tenant.limits.in_flight = in_flight;
  tenant.parent = std::move(parent);
  return tenant;
}

std::vector<std::string> above(const Allowances& all, std::string_view tenant) {
  std::vector<std::string> names;
  all.each_above(tenant, [&](const std::string& name, const TenantAllowance&) { names.push_back(name); });
  return names;
}

TEST(StoredTenants, say_what_their_rows_say) {
  store::Tenant acme = row("acme", "group", R"({"requests":"5/1m","tokens":["10/1s","20/1h"],"in_flight":3})");
  acme.budgets = R"([{"usd":1.50,"period":"day"}])";
  acme.quotas = R"([{"tokens":100,"period":"hour","hard":false}])";
  const StoredTenants read = read_stored_tenants(std::vector{acme, row("plain")});
  EXPECT_TRUE(read.unusable.empty());
  ASSERT_EQ(read.tenants.size(), 2U);
  const TenantAllowance& tenant = read.tenants.at("acme");
  EXPECT_EQ(tenant.parent, "group");
  EXPECT_EQ(tenant.limits.windows.size(), 3U);
  EXPECT_EQ(tenant.limits.in_flight, 3);
  ASSERT_EQ(tenant.budgets.budgets.size(), 2U);
  EXPECT_EQ(tenant.budgets.budgets[0].cap, 1'500'000'000'000);
  EXPECT_FALSE(tenant.budgets.budgets[1].hard);
  EXPECT_TRUE(read.tenants.at("plain").empty());
}

TEST(StoredTenants, hold_as_far_as_their_rows_can_be_understood) {
  store::Tenant no_limits = row("a", "b", "torn");
  no_limits.budgets = R"([{"usd":1}])";
  store::Tenant no_budgets = row("b", "", R"({"in_flight":3})");
  no_budgets.budgets = R"([{"usd":"much"}])";
  const StoredTenants read =
      read_stored_tenants(std::vector{no_limits, no_budgets, row("c", "", R"({"in_flight":4})")});
  ASSERT_EQ(read.unusable.size(), 2U);
  EXPECT_TRUE(read.unusable[0].starts_with("a: limits")) << read.unusable[0];
  EXPECT_TRUE(read.unusable[1].starts_with("b: budgets")) << read.unusable[1];
  EXPECT_EQ(read.tenants.at("a").parent, "b");
  EXPECT_EQ(read.tenants.at("a").budgets.budgets.size(), 1U);
  EXPECT_EQ(read.tenants.at("b").limits.in_flight, 3);
  EXPECT_TRUE(read.tenants.at("b").budgets.empty());
  EXPECT_EQ(read.tenants.at("c").limits.in_flight, 4);
}

TEST(StoredTenants, stand_behind_those_of_the_configuration) {
  Allowances configured;
  configured.per_tenant.limits.in_flight = 9;
  configured.max_output_tokens = 77;
  configured.tenants.emplace("company", of_configuration(1));
  configured.tenants.emplace("both", of_configuration(2, "company"));
  const StoredTenants stored = read_stored_tenants(std::vector{row("both", "", R"({"in_flight":5})"),
                                                               row("team", "company", R"({"in_flight":6})"),
                                                               row("sub", "team"), row("below-both", "both")});
  const Allowances all = with_stored_tenants(configured, stored);
  EXPECT_EQ(all.of_tenant("both").limits.in_flight, 2) << "the configuration's word holds";
  EXPECT_EQ(above(all, "both"), std::vector<std::string>{"company"});
  EXPECT_EQ(all.of_tenant("team").limits.in_flight, 6);
  EXPECT_EQ(all.of_tenant("sub").limits.in_flight, 9) << "what each tenant has that has none of its own";
  EXPECT_EQ(above(all, "sub"), (std::vector<std::string>{"team", "company"}));
  EXPECT_EQ(above(all, "below-both"), (std::vector<std::string>{"both", "company"}));
  EXPECT_EQ(all.max_output_tokens, 77);
  EXPECT_TRUE(misplaced_tenants(all).orphans.empty());
  EXPECT_TRUE(misplaced_tenants(all).too_deep.empty());

  configured.tenants.clear();  // a reload: what the store's tenants were made for is gone
  const Allowances left = with_stored_tenants(configured, stored);
  EXPECT_EQ(left.of_tenant("both").limits.in_flight, 5) << "the store's has its turn";
  EXPECT_TRUE(above(left, "team").empty());
  const auto told = misplaced_tenants(left).orphans;
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told.front(), "team: its parent company is no tenant, so nothing above it holds");
}

TEST(StoredTenants, that_stand_too_deep_are_told) {
  Allowances configured;
  std::vector<store::Tenant> rows;
  configured.tenants.emplace("t1", of_configuration(1));
  for (std::size_t depth = 2; depth <= Allowances::tenant_depth_max + 1; ++depth) {
    rows.push_back(row("t" + std::to_string(depth), "t" + std::to_string(depth - 1)));
  }
  const auto too_deep = [&] {
    return misplaced_tenants(with_stored_tenants(configured, read_stored_tenants(rows))).too_deep;
  };
  EXPECT_EQ(too_deep(), std::vector<std::string>{"t9: 9 deep, where at most 8 are meant to be"});
  rows.pop_back();
  EXPECT_TRUE(too_deep().empty());
  rows.push_back(row("x", "y"));
  rows.push_back(row("y", "x"));
  EXPECT_EQ(too_deep().size(), 2U) << "a circle, which nobody can make but with SQL, ends too";
}

TEST(StoredTenants, that_stand_too_deep_are_bounded_by_all_above_them_and_no_reload_puts_them_there) {
  Allowances shallow;
  shallow.tenants.emplace("c1", of_configuration(1));
  std::vector<store::Tenant> rows{row("s1", "c1")};
  for (int depth = 2; depth < 8; ++depth) {
    rows.push_back(row("s" + std::to_string(depth), "s" + std::to_string(depth - 1)));
  }
  const StoredTenants stored = read_stored_tenants(rows);
  Allowances deep;
  deep.tenants.emplace("c8", of_configuration(1));
  for (int place = 1; place < 8; ++place) {
    deep.tenants.emplace("c" + std::to_string(place), of_configuration(1, "c" + std::to_string(place + 1)));
  }
  const Allowances before = with_stored_tenants(shallow, stored);
  const Allowances after = with_stored_tenants(deep, stored);
  EXPECT_EQ(above(after, "s7").size(), 14U);
  EXPECT_EQ(above(after, "s7").back(), "c8") << "eight of the configuration, and seven of the store below";
  EXPECT_TRUE(check_depths(before, before));
  const auto refused = check_depths(before, after);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.contains("more above s1, s2, s3, s4, s5, s6, s7;")) << refused.error().message;
  EXPECT_TRUE(check_depths(after, after)) << "weir was started with that: every other change may come";
  EXPECT_TRUE(check_depths(after, before));
}

TEST(Allowances, limit_nobody_where_no_tenant_has_a_limit) {
  Allowances all;
  EXPECT_TRUE(all.empty());
  all = with_stored_tenants(all, read_stored_tenants(std::vector{row("a"), row("b", "a")}));
  EXPECT_TRUE(all.empty());
  all = with_stored_tenants(all, read_stored_tenants(std::vector{row("c", "", R"({"in_flight":1})")}));
  EXPECT_FALSE(all.empty());
}

}  // namespace
}  // namespace weir::app
