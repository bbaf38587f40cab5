#include "gateway/rate_limit_headers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

namespace weir::gateway {
namespace {

using platform::Duration;
using namespace std::chrono_literals;

TEST(RateLimitHeaders, are_written_as_openai_writes_them) {
  limits::Limiter limiter;
  const limits::LimitSet set{.windows = {{.unit = limits::Unit::requests, .amount = 100, .window = 60s},
                                         {.unit = limits::Unit::tokens, .amount = 50'000, .window = 6min}}};
  const limits::Scope scope{limits::ScopeKind::key, "k", &set};
  const auto ticket = limiter.take({&scope, 1}, {.tokens = 300}, platform::Instant(100h));
  ASSERT_TRUE(ticket);
  RateLimitHeaders headers;
  headers.tell(*ticket);
  http::FieldLines written;
  headers.append_to(written);
  EXPECT_EQ(written.text(),
            "x-ratelimit-limit-requests: 100\r\n"
            "x-ratelimit-remaining-requests: 99\r\n"
            "x-ratelimit-reset-requests: 1m0s\r\n"
            "x-ratelimit-limit-tokens: 50000\r\n"
            "x-ratelimit-remaining-tokens: 49700\r\n"
            "x-ratelimit-reset-tokens: 6m0s\r\n");
}

TEST(ResetText, is_a_duration_as_openai_writes_it) {
  for (const auto& [duration, text] : {std::pair{Duration(0), "0ms"},
                                       {Duration(1), "1ms"},
                                       {Duration(120ms), "120ms"},
                                       {Duration(1s), "1s"},
                                       {Duration(7660ms), "7.66s"},
                                       {Duration(2h), "2h0m0s"},
                                       {Duration(60'050ms), "1m0.05s"},
                                       {Duration(1'001ms), "1.001s"},
                                       {Duration::max(), "2562047h47m16.855s"},
                                       {Duration(-1s), "0ms"}}) {
    EXPECT_EQ(to_reset_text(duration), text);
  }
}

}  // namespace
}  // namespace weir::gateway
