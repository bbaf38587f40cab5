#include "dialects/openai/models.hpp"

#include <gtest/gtest.h>

namespace weir::openai {
namespace {

TEST(Models, are_read_with_all_that_their_provider_says_of_them) {
  const auto models = read_models(
      R"({"object":"list","data":[ {"object":"model","\u0069d" : "org\/m:free","context_length":1e5}, {"id":7}, 3, {"id":""},)"
      R"({"id":"b"}]})");
  ASSERT_TRUE(models);
  ASSERT_EQ(models->size(), 2);
  EXPECT_EQ((*models)[0].id, "org/m:free");
  std::string out;
  append_model(out, (*models)[0], "router/org/m:free");
  EXPECT_EQ(out, R"({"object":"model","\u0069d" : "router/org/m:free","context_length":1e5})");
}

TEST(Models, may_be_a_bare_array_and_nothing_else) {
  EXPECT_EQ(read_models(R"( [{"id":"a"}] )")->size(), 1);
  EXPECT_EQ(read_models(R"({"data":[]})")->size(), 0);
  for (const std::string_view wrong :
       {"", "7", "{}", R"({"data":{}})", R"({"data":[)", R"({"error":{"message":"no"}})"}) {
    EXPECT_FALSE(read_models(wrong)) << wrong;
  }
}

TEST(Models, of_which_only_the_name_is_known_are_whole_objects_all_the_same) {
  std::string out;
  append_model(out, "a\"b", "weir");
  EXPECT_EQ(out, R"({"id":"a\"b","object":"model","created":0,"owned_by":"weir"})");
}

}  // namespace
}  // namespace weir::openai
