#include "platform/shared_budget.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace weir::platform {
namespace {

IpAddress address(const char* text) {
  return *parse_address(text);
}

TEST(SharedBudget, gives_one_caller_his_share_and_no_more_whatever_others_hold) {
  const auto budget = std::make_unique<SharedBudget>(100, 7);
  SharedBudget::Lease first;
  SharedBudget::Lease second;
  EXPECT_TRUE(first.grow_to(*budget, address("10.0.0.1"), 60));
  EXPECT_FALSE(second.grow_to(*budget, address("10.0.0.1"), 41));
  EXPECT_TRUE(second.grow_to(*budget, address("10.0.0.1"), 40));
  EXPECT_FALSE(first.grow_to(*budget, address("10.0.0.1"), 61)) << "and the lease stays as it was";
  EXPECT_EQ(budget->held_by(address("10.0.0.1")), 100U);
  SharedBudget::Lease other;
  EXPECT_TRUE(other.grow_to(*budget, address("10.0.0.2"), 100));
}

TEST(SharedBudget, gets_back_what_a_lease_held) {
  const auto budget = std::make_unique<SharedBudget>(100, 7);
  {
    SharedBudget::Lease lease;
    EXPECT_TRUE(lease.grow_to(*budget, address("10.0.0.1"), 10));
    EXPECT_TRUE(lease.grow_to(*budget, address("10.0.0.1"), 90));
    EXPECT_TRUE(lease.grow_to(*budget, address("10.0.0.1"), 5)) << "it never shrinks";
    EXPECT_EQ(budget->held_by(address("10.0.0.1")), 90U);
    SharedBudget::Lease moved = std::move(lease);
    EXPECT_EQ(budget->held_by(address("10.0.0.1")), 90U);
    moved = {};
  }
  EXPECT_EQ(budget->held_by(address("10.0.0.1")), 0U);
}

TEST(SharedBudget, takes_a_network_of_ipv6_for_one_caller) {
  const auto budget = std::make_unique<SharedBudget>(100, 7);
  SharedBudget::Lease lease;
  EXPECT_TRUE(lease.grow_to(*budget, address("2001:db8::1"), 80));
  EXPECT_EQ(budget->held_by(address("2001:db8::2")), 80U);
  EXPECT_EQ(budget->held_by(address("2001:db8:0:1::1")), 0U);
}

}  // namespace
}  // namespace weir::platform
