#include "providers/rate_limits.hpp"

#include <gtest/gtest.h>

#include <array>

namespace weir::providers {
namespace {

using namespace std::chrono_literals;
using platform::Duration;
using platform::WallTime;

constexpr WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + 12h;

http::Headers headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  http::Headers made;
  for (const auto& [name, value] : fields) {
    made.add(name, value);
  }
  return made;
}

TEST(RateLimits, reads_durations_as_providers_write_them) {
  constexpr std::array<std::pair<std::string_view, Duration>, 10> good{{{"1s", 1s},
                                                                        {"6m0s", 6min},
                                                                        {"8.64s", 8640ms},
                                                                        {"120ms", 120ms},
                                                                        {"1h2m3s", 1h + 2min + 3s},
                                                                        {"2m59.56s", 179560ms},
                                                                        {"0s", 0s},
                                                                        {"17", 17s},
                                                                        {"0.5", 500ms},
                                                                        {"250us", 250us}}};
  for (const auto& [text, expected] : good) {
    const auto value = parse_reset(text);
    ASSERT_TRUE(value) << text;
    EXPECT_LE(std::chrono::abs(*value - expected), 1us) << text;
  }
  for (const std::string_view text :
       {"", "s", "1x", "-1s", "1s ", "1 s", "soon", "1e3s", "99999999999s", "nan", "inf", "infs"}) {
    EXPECT_FALSE(parse_reset(text)) << text;
  }
}

TEST(RateLimits, reads_the_three_forms_of_http_dates) {
  const WallTime expected = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 37s;
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    const auto date = parse_http_date(text);
    ASSERT_TRUE(date) << text;
    EXPECT_EQ(*date, expected) << text;
  }
  for (const std::string_view text :
       {"", "Sun", "Sun,", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT+1", "Sun, 6 Nov 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(text)) << text;
  }
}

TEST(RateLimits, retry_after_is_milliseconds_seconds_or_a_date) {
  EXPECT_EQ(retry_after_of(headers({{"retry-after", "7"}}), now), 7s);
  EXPECT_EQ(retry_after_of(headers({{"retry-after", "1.5"}}), now), 1500ms);
  EXPECT_EQ(retry_after_of(headers({{"retry-after", "7"}, {"retry-after-ms", "120"}}), now), 120ms);
  EXPECT_EQ(retry_after_of(headers({{"Retry-After", "Sat, 21 Nov 2026 12:00:30 GMT"}}), now), 30s);
  EXPECT_EQ(retry_after_of(headers({{"Retry-After", "Sat, 21 Nov 2026 11:00:00 GMT"}}), now), 0s) << "the past";
  EXPECT_EQ(
      retry_after_of(
          headers({{"Retry-After", "Sat, 21 Nov 2026 11:00:30 GMT"}, {"Date", "Sat, 21 Nov 2026 11:00:00 GMT"}}), now),
      30s)
      << "the provider's clock is an hour late";
  for (const std::string_view text : {"", "soon", "-1", "1e99", "nan"}) {
    EXPECT_FALSE(retry_after_of(headers({{"retry-after", text}}), now)) << text;
  }
}

TEST(RateLimits, finds_the_wait_in_an_errors_words) {
  EXPECT_EQ(retry_after_in("Rate limit reached. Please try again in 120ms."), 120ms);
  EXPECT_EQ(retry_after_in("... Please try again in 9m38s. Visit"), 9min + 38s);
  EXPECT_EQ(retry_after_in("Please retry after 23 seconds. To increase"), 23s);
  EXPECT_EQ(retry_after_in("Rate limit is exceeded. Try again in 2 seconds."), 2s);
  for (const std::string_view text :
       {"", "please try again later", "try again in", "try again in a while", "retry after 5 parsecs"}) {
    EXPECT_FALSE(retry_after_in(text)) << text;
  }
}

TEST(RateLimits, reads_what_is_left) {
  const RateLimits limits = read_rate_limits(headers({{"x-ratelimit-limit-requests", "500"},
                                                      {"X-RateLimit-Remaining-Requests", "0"},
                                                      {"x-ratelimit-reset-requests", "6m0s"},
                                                      {"x-ratelimit-remaining-tokens", "149984"},
                                                      {"x-ratelimit-reset-tokens", "never"}}),
                                             now);
  EXPECT_EQ(limits.requests.remaining, 0);
  EXPECT_EQ(limits.requests.reset, 6min);
  EXPECT_EQ(limits.tokens.remaining, 149984);
  EXPECT_FALSE(limits.tokens.reset);
  EXPECT_FALSE(limits.retry_after);
}

}  // namespace
}  // namespace weir::providers
