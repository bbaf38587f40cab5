#include "admin/substitute_notices.hpp"

#include <gtest/gtest.h>

namespace weir::admin {
namespace {

TEST(SubstituteNotices, name_each_model_that_is_not_there_once_and_the_nearest) {
  routing::ModelTable models;
  models.exact["small"].name = "small";
  const auto notices = [&](std::string_view budgets, std::string_view quotas) {
    return notices_about_substitutes(budgets, quotas, models);
  };
  EXPECT_TRUE(notices("[]", "[]").empty());
  EXPECT_TRUE(notices(R"([{"usd":1},{"usd":1,"period":"day","substitute":"small"}])", "").empty());
  const auto told = notices(R"([{"usd":1,"substitute":"smal"},{"usd":1,"period":"day","substitute":"smal"}])",
                            R"([{"tokens":1,"substitute":"other"}])");
  ASSERT_EQ(told.size(), 2U);
  EXPECT_TRUE(told[0].starts_with("There is no model `smal` yet")) << told[0];
  EXPECT_TRUE(told[0].ends_with("; did you mean \"small\"?")) << told[0];
  EXPECT_TRUE(told[1].contains("`other`")) << told[1];
}

}  // namespace
}  // namespace weir::admin
