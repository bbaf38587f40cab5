#include "app/admin_answer.hpp"

#include <gtest/gtest.h>

namespace weir::app {
namespace {

TEST(AdminAnswer, shows_numbers_and_what_stands_in_objects_as_they_are_written) {
  const std::string_view answer =
      R"({"metadata":{"a":1e400,"b":123456789012345678901234567890,"c":-0},"cost_usd":0.00012,"n":-0,"big":1e400,)"
      R"("name":"caf\u00e9","models":["gpt-*"],"no":null})";
  ASSERT_TRUE(check_object(answer));
  EXPECT_EQ(cell(answer, "metadata"), R"({"a":1e400,"b":123456789012345678901234567890,"c":-0})");
  EXPECT_EQ(cell(answer, "cost_usd"), "0.00012");
  EXPECT_EQ(cell(answer, "n"), "-0");
  EXPECT_EQ(cell(answer, "big"), "1e400");
  EXPECT_EQ(cell(answer, "name"), "caf\u00e9");
  EXPECT_EQ(cell(answer, "models"), R"(["gpt-*"])");
  for (const char* name : {"no", "absent"}) {
    EXPECT_EQ(cell(answer, name), "");
  }
}

TEST(AdminAnswer, reads_what_holds_half_of_a_surrogate_pair) {
  const std::string_view list = R"({"data":[{"id":"a","user":"x\ud800y","metadata":{"a":"\ud800"}},{"id":"b"},7]})";
  const auto rows = rows_of(list);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(cell(rows->front(), "user"), "x\ufffdy");
  EXPECT_EQ(cell(rows->front(), "metadata"), R"({"a":"\ud800"})");
  EXPECT_EQ(cell(rows->back(), "id"), "b");
}

TEST(AdminAnswer, reads_what_nests_as_deep_as_weir_takes_it) {
  const std::string deep = std::string(512, '[') + std::string(512, ']');
  EXPECT_TRUE(rows_of(R"({"data":[{"metadata":)" + deep + "}]}"));
}

TEST(AdminAnswer, tells_where_an_answer_cannot_be_read_and_shows_no_key) {
  const std::string cut = R"({"id":"key_1","key":"sk-weir-secret","label":)";
  const auto unreadable = check_object(cut);
  ASSERT_FALSE(unreadable);
  EXPECT_NE(unreadable.error().message.find("at byte 45 of 45, "), std::string::npos) << unreadable.error().message;
  EXPECT_EQ(unreadable.error().message.find("sk-weir"), std::string::npos) << unreadable.error().message;

  const auto page = check_object("<html>\n" + std::string(1000, 'x') + "the end");
  ASSERT_FALSE(page);
  EXPECT_NE(page.error().message.find("it begins: <html> xxx"), std::string::npos) << page.error().message;
  EXPECT_EQ(page.error().message.find("the end"), std::string::npos) << page.error().message;

  EXPECT_EQ(rows_of(R"({"key":"sk-weir-secret"})").error().message, "the answer is no list");
}

TEST(AdminAnswer, tells_an_object_in_lines_without_its_key) {
  const std::string_view answer =
      "{\"object\":\"key\",\"id\":\"key_1\",\"key\":\"sk-secret\",\"user\":null,\"label\":\"x\u009by\","
      "\"notices\":[\"look \u202ehere\"],\"limits\":{},\"quotas\":[ ]}";
  ASSERT_TRUE(check_object(answer));
  EXPECT_EQ(lines_of(answer), "id                       key_1\nlabel                    x y\n");
  EXPECT_EQ(notices_of(answer), std::vector<std::string>{"look  here"});
}

}  // namespace
}  // namespace weir::app
