#include <gtest/gtest.h>

#include "load/load.hpp"

namespace weir::load {
namespace {

TEST(ChatBody, has_exactly_the_size_asked_for) {
  for (std::size_t bytes : {300U, 1000U, 1024U, 5000U, 100'000U, 1'000'000U}) {
    EXPECT_EQ(chat_body("bench", bytes, true).size(), bytes);
    EXPECT_EQ(chat_body("bench", bytes, false).size(), bytes);
  }
}

TEST(ChatBody, closes_what_it_opens) {
  for (std::size_t bytes : {0U, 1024U, 100'000U}) {
    auto body = chat_body("bench", bytes, true);
    int depth = 0;
    bool text = false;
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (text && body[i] == '\\') {
        ++i;
      } else if (body[i] == '"') {
        text = !text;
      } else if (!text) {
        depth += (body[i] == '{' || body[i] == '[') - (body[i] == '}' || body[i] == ']');
      }
    }
    EXPECT_FALSE(text);
    EXPECT_EQ(depth, 0);
    EXPECT_TRUE(body.ends_with("\"stream\":true}"));
  }
}

}  // namespace
}  // namespace weir::load
