#include "api/accept.hpp"

#include <gtest/gtest.h>

namespace weir::api {
namespace {

bool text(std::string_view accept, std::string_view second = {}) {
  http::Headers headers;
  headers.add("Accept", accept);
  if (!second.empty()) {
    headers.add("accept", second);
  }
  return wants_prometheus_text(headers);
}

TEST(Accept, a_scraper_gets_text) {
  EXPECT_TRUE(text("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"));
  EXPECT_TRUE(text("application/openmetrics-text; version=1.0.0"));
  EXPECT_TRUE(text("text/plain"));
  EXPECT_TRUE(text("Text/Plain;version=0.0.4"));
  EXPECT_TRUE(text("text/*"));
  EXPECT_TRUE(text("application/json;q=0.5, text/plain;q=0.6"));
  EXPECT_TRUE(text("application/json;q=0", "text/plain;q=0.1"));
}

TEST(Accept, everybody_else_gets_json) {
  EXPECT_FALSE(wants_prometheus_text(http::Headers()));
  EXPECT_FALSE(text("*/*"));
  EXPECT_FALSE(text("application/json"));
  EXPECT_FALSE(text("text/plain, application/json"));
  EXPECT_FALSE(text("text/plain;q=0.5, application/json;q=0.6"));
  EXPECT_FALSE(text("text/plain;q=0, */*"));
  EXPECT_FALSE(text("text/plain;q=0.2, */*;q=0.8")) << "the closest range decides for each type";
  EXPECT_FALSE(text("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")) << "a browser";
  EXPECT_FALSE(text("image/png")) << "nothing fits; JSON is the default";
  EXPECT_FALSE(text(""));
  EXPECT_FALSE(text(";,q=1;;,"));
}

TEST(Accept, qualities_are_read_strictly) {
  EXPECT_TRUE(text("text/plain;q=nonsense, application/json;q=0.9"));
  EXPECT_TRUE(text("text/plain ; q=1.000 , application/json ; Q=0.999"));
}

}  // namespace
}  // namespace weir::api
