#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace weir::providers {

/// What the mock provider does wrong on purpose.
enum class MockFaultKind : std::uint8_t { none, status, reset, stall, cut, malformed, no_done, error_event };

struct MockFault {
  MockFaultKind kind = MockFaultKind::none;
  int status = 500;                                      // kind status: 400 to 599
  std::optional<std::chrono::milliseconds> retry_after;  // kind status: sent as Retry-After
  int after_events = 3;                                  // stall, cut, malformed, error_event: content events before it
  int every = 1;                                         // each n-th call fails; 0: `rate` decides
  double rate = 0;                                       // share of the calls that fail, 0 to 1; used where every is 0
  friend bool operator==(const MockFault&, const MockFault&) = default;
};

/// How the mock provider answers. Plain value.
struct MockOptions {
  std::chrono::milliseconds first_token{50};
  double tokens_per_second = 80;  // 0: as fast as possible
  std::string text = "Hello from Weir.";
  bool echo = false;        // answer with the last user message instead of `text`
  int event_tokens = 1;     // tokens in one stream event
  bool tool_calls = false;  // answer a request that brings tools with a call of the first one
  bool usage = true;        // tell token counts
  MockFault fault;
  friend bool operator==(const MockOptions&, const MockOptions&) = default;
};

/// Changes `options` as a model name behind `mock/` or the header `x-mock` says: comma-separated words and settings,
/// such as "echo", "first_token=10ms,tokens_per_second=500", "fault=cut,after_events=2",
/// "fault=status,status=429,retry_after=2s,every=3". A first word that is no setting is a name without meaning
/// ("mock/gpt-4o"). Error: invalid_request, naming what is wrong.
Result<MockOptions> with_overrides(MockOptions options, std::string_view words);

}  // namespace weir::providers
