#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/headers.hpp"
#include "platform/clock.hpp"

/// What providers say about when to come back, and how much is left. Pure.
namespace weir::providers {

/// Of one kind of limit: requests or tokens.
struct LimitLeft {
  std::optional<std::int64_t> remaining;
  std::optional<platform::Duration> reset;  // until it is full again
};

struct RateLimits {
  std::optional<platform::Duration> retry_after;
  LimitLeft requests;
  LimitLeft tokens;
};

/// `1s`, `6m0s`, `120ms`, `1h2m3s`, `2m59.56s`: what OpenAI and Groq write (Go's form); a plain number is seconds.
std::optional<platform::Duration> parse_reset(std::string_view text);

/// The time that an HTTP date means: `Sun, 06 Nov 1994 08:49:37 GMT`, and the two obsolete forms (RFC 9110 section
/// 5.6.7).
std::optional<platform::WallTime> parse_http_date(std::string_view text);

/// How long a provider asks to be left alone: `retry-after-ms`, which is finer, before `retry-after` in seconds or as a
/// date. A date counts from the reply's own `date` where it has one, so that two clocks need not agree; the past is
/// zero.
std::optional<platform::Duration> retry_after_of(const http::Headers& headers, platform::WallTime now);

/// The same from an error's words, for providers that send no header: "Please try again in 3.89s", "retry after 23
/// seconds".
std::optional<platform::Duration> retry_after_in(std::string_view message);

/// Everything that a reply's head says about limits.
RateLimits read_rate_limits(const http::Headers& headers, platform::WallTime now);

}  // namespace weir::providers
