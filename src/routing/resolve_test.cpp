#include "routing/resolve.hpp"

#include <gtest/gtest.h>

namespace weir::routing {
namespace {

ModelPolicy policy(std::string name, std::vector<std::vector<Target>> steps) {
  ModelPolicy made{.name = std::move(name)};
  for (auto& members : steps) {
    made.steps.push_back({.any_of = std::move(members)});
  }
  return made;
}

ModelTable table() {
  ModelTable made;
  made.exact["smart"] =
      policy("smart", {{{.provider = "a", .model = "x", .weight = 9}, {.provider = "b", .model = "y"}},
                       {{.provider = "c", .model = "z"}}});
  made.patterns.push_back(
      {.prefix = "local/", .suffix = "", .policy = policy("local/*", {{{.provider = "home", .model = "*"}}})});
  made.forwards.push_back({.provider = "openai"});
  return made;
}

TEST(Resolve, tries_the_steps_in_order_and_every_member_of_a_step) {
  const ModelTable models = table();
  const auto plan = resolve(models, "smart", false);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->steps.size(), 2U);
  ASSERT_EQ(plan->steps[0].members.size(), 2U);
  EXPECT_EQ(plan->steps[0].members[0].target->provider, "a");
  EXPECT_EQ(plan->steps[0].members[1].target->provider, "b");
  ASSERT_EQ(plan->steps[1].members.size(), 1U);
  EXPECT_EQ(plan->steps[1].members[0].target->provider, "c");
}

TEST(Resolve, passes_the_starred_part_on_and_survives_being_moved) {
  const ModelTable models = table();
  auto plan = resolve(models, "local/qwen3:8b", false);
  ASSERT_TRUE(plan);
  const Plan moved = std::move(*plan);
  EXPECT_EQ(moved.steps[0].members[0].upstream_model, "qwen3:8b");
  EXPECT_EQ(moved.steps[0].members[0].target->provider, "home");
  EXPECT_EQ(moved.name, "local/*");
}

std::string named(const Plan& plan) {
  std::string out;
  for (const PlanStep& step : plan.steps) {
    for (const Candidate& member : step.members) {
      out += member.target->provider + "/" + std::string(member.upstream_model) + " ";
    }
    out += "| ";
  }
  return out;
}

TEST(Resolve, puts_the_steps_of_the_fallback_behind_its_own_and_no_target_twice) {
  ModelTable models = table();
  models.exact["small"] = policy("small", {{{.provider = "b", .model = "y"}}});
  models.exact["small"].fallback = "smart";
  auto plan = resolve(models, "small", false);
  ASSERT_TRUE(plan);
  EXPECT_EQ(named(*plan), "b/y | ") << "only when it is needed";
  EXPECT_TRUE(add_fallback(*plan, models));
  EXPECT_EQ(named(*plan), "b/y | a/x | c/z | ");
  EXPECT_EQ(plan->name, "small");
  EXPECT_FALSE(add_fallback(*plan, models)) << "once";
  EXPECT_EQ(named(*plan), "b/y | a/x | c/z | ");
}

TEST(Resolve, a_fallback_may_be_a_made_up_name_and_is_none_where_it_adds_nothing) {
  ModelTable models = table();
  models.exact["small"] = policy("small", {{{.provider = "home", .model = "q"}}});
  models.exact["small"].fallback = "local/q";
  auto plan = resolve(models, "small", false);
  EXPECT_FALSE(add_fallback(*plan, models)) << "the same target";
  models.exact["small"].fallback = "local/r";
  plan = resolve(models, "small", false);
  EXPECT_TRUE(add_fallback(*plan, models));
  const Plan moved = std::move(*plan);
  EXPECT_EQ(named(moved), "home/q | home/r | ");
  models.forwards[0].fallback = "smart";
  plan = resolve(models, "openai/o", false);
  EXPECT_TRUE(add_fallback(*plan, models));
  EXPECT_EQ(named(*plan), "openai/o | a/x b/y | c/z | ");
  plan = resolve(models, "smart", false);
  EXPECT_FALSE(add_fallback(*plan, models));
}

TEST(Resolve, forwards_any_name_of_a_provider_that_allows_it) {
  const ModelTable models = table();
  const auto plan = resolve(models, "openai/org/model", false);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->steps[0].members[0].upstream_model, "org/model");
}

TEST(Resolve, refuses_unknown_names_and_a_missing_name_apart) {
  ModelTable models = table();
  EXPECT_EQ(resolve(models, "nope", false).error().code, Code::model_not_found);
  EXPECT_EQ(resolve(models, "b/y", false).error().code, Code::model_not_found);
  EXPECT_EQ(resolve(models, "", false).error().code, Code::model_required);
  models.default_model = "smart";
  EXPECT_TRUE(resolve(models, "", false));
}

TEST(Resolve, knows_the_mock_only_where_it_exists) {
  ModelTable models = table();
  EXPECT_EQ(resolve(models, "mock/echo", false).error().code, Code::model_not_found);
  models.mock_provider = "fake";
  const auto named = resolve(models, "mock/echo", false);
  ASSERT_TRUE(named);
  EXPECT_EQ(named->steps[0].members[0].target->provider, "fake");
  EXPECT_EQ(named->steps[0].members[0].upstream_model, "echo");
  const auto asked = resolve(models, "smart", true);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->steps[0].members[0].target->provider, "fake");
  EXPECT_EQ(asked->name, "fake");
}

}  // namespace
}  // namespace weir::routing
